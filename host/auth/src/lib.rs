//! Users sign up, sign in and out: `/auth/v1`, as GoTrue offers it.
//!
//! Owns the tables of the schema `auth`, the routes under `/auth/v1`, and sessions with their tokens. Every statement runs as the
//! owner of these tables (`HostDb::begin_auth`), never as a caller and never with the host's other rights. Imports foundations only.

mod client;
mod duration;
mod error;
mod external;
mod import;
mod limits;
mod options;
mod routes;
mod reseal;
mod session;
mod signed_in;
mod state;
mod store;
mod totp;
mod user;

pub use import::{ImportError, ImportOptions, ImportReport, Refused, TableReport, import};
pub use options::{AuthOptions, ProviderOptions};
pub use reseal::{ResealFactorsError, ResealedFactors, reseal_factors};
pub use routes::{elsewhere, routes};
pub use state::{Auth, AuthParts};
