//! Users sign up, sign in and out: `/auth/v1`, as GoTrue offers it.
//!
//! Owns the tables of the schema `auth`, the routes under `/auth/v1`, and sessions with their tokens. Every statement on these tables
//! runs as their owner (`HostDb::begin_auth`), never as a caller and never with the host's other rights. Imports foundations only.

mod address;
mod body;
mod client;
mod duration;
mod error;
mod external;
mod hook;
mod hook_check;
mod import;
mod letters;
mod limits;
mod options;
mod password;
mod phone;
mod proof;
mod reseal;
mod routes;
mod session;
mod signed_in;
mod start;
mod state;
mod store;
mod totp;
mod user;

pub use external::leads_anywhere;
pub use hook_check::{HookState, examine_hook};
pub use import::{ImportError, ImportOptions, ImportReport, Refused, TableReport, import};
pub use options::{AuthOptions, ProviderOptions};
pub use reseal::{ResealFactorsError, ResealedFactors, reseal_factors};
pub use routes::{elsewhere, routes};
pub use session::{Sessions, follow_ended};
pub use start::{TablesError, check_tables, start};
pub use state::{Auth, AuthParts};
