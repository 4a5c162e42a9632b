//! The outside: routes, who is calling, and the one mapping of failures to answers.
//!
//! Imports `agents`, `tools`, `db`, `identity` and `config`. Never does: decide what a caller may see; row-level security
//! and the rooms below do.

mod agents;
mod approvals;
mod audit;
mod credits;
mod delegations;
mod error;
mod extract;
mod health;
mod idempotency;
mod input;
mod limits;
mod mcp;
mod mcp_servers;
mod observe;
mod openai;
mod plugins;
mod provider_keys;
mod router;
mod routes;
mod runs;
mod sessions;
mod sse;
mod state;
mod tools;
mod usage;
mod well_known;

pub use error::ApiError;
pub use limits::{Limits, TooMany};
pub use router::{router, routes};
pub use routes::Route;
pub use state::AppState;
