//! The routes of `/api` that this feature serves.

mod agent;
mod agent_base;
mod approval;
mod assignment;
mod context_handler;
mod event_stream;
mod feedback;
mod provider_key;
mod run;
mod run_answer;
mod session;
mod session_body;
mod session_run;
mod transcript;

use behalf_web::{ApiError, Routes, input};
use utoipa::IntoParams;
use uuid::Uuid;

use crate::state::AgentsState;

const NO_AGENT: &str = "Agent not found";
const NO_RUN: &str = "Run not found";
const NO_SESSION: &str = "Session not found";

/// The header that makes a request safe to send again, for descriptions; handlers take it by [`behalf_web::IdempotencyKey`].
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described")]
pub(crate) struct IdempotencyHeader {
    /// 1 to 255 printable characters. A request that is sent again with the same key is answered again and not carried out again.
    #[param(rename = "Idempotency-Key")]
    key: Option<String>,
}

/// Every route of this feature below `/api`.
pub(crate) fn routes() -> Routes<AgentsState> {
    Routes::new()
        .merge(agent::routes())
        .merge(assignment::routes())
        .merge(agent_base::routes())
        .merge(context_handler::routes())
        .merge(provider_key::routes())
        .merge(run::routes())
        .merge(approval::routes())
        .merge(feedback::routes())
        .merge(session::routes())
        .merge(session_run::routes())
}

/// An agent's id in a path.
fn agent_id(text: &str) -> Result<Uuid, ApiError> {
    input::id(text, NO_AGENT)
}

/// A uuid in a body.
fn uuid_field(text: Option<String>, name: &str) -> Result<Option<Uuid>, ApiError> {
    let read =
        |text: String| Uuid::try_parse(&text).map_err(|_| ApiError::bad_request(format!("{name} must be a uuid")));
    text.map(read).transpose()
}
