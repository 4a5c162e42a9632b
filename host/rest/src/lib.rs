//! The app's own tables and functions over HTTP, as PostgREST offers them: `/rest/v1`.
//!
//! Owns `ai.app_requests`, the routes under `/rest/v1`, and the schema cache with what keeps it fresh. The planner,
//! `behalf-rest-plan`, makes statements of requests; `behalf-caller-db` runs them as the caller. Imports foundations only. Never
//! does: make or change the text of a statement; read the rows of an answer.

mod allow;
mod answer;
mod body;
mod error;
mod http_request;
mod log;
mod options;
mod routes;
mod schema;
mod start;
mod target;
mod watch;

pub use options::RestOptions;
pub use routes::{elsewhere, routes};
pub use schema::LoadError;
pub use start::Rest;
