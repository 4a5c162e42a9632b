//! The API of `OpenAI`'s chat completions, where a model is an agent: programs that speak it run an agent under their
//! user's own token.
//!
//! It is the same run as that of `/api/agents/{id}/run`: a row, events, audited calls. Its form differs. A client comes back to a run by
//! sending its request again; where a client without a key does not, its run is cancelled.

mod answer;
mod chat;
mod chat_request;
mod message;
mod model;
mod refusal;
mod stream;
mod waited_run;

use axum::middleware::from_fn;
use behalf_web::{Routes, routes};

use crate::state::AgentsState;

/// The routes below `/v1`. Every failure of theirs has `OpenAI`'s form, also those of the extractors.
pub(crate) fn routes() -> Routes<AgentsState> {
    Routes::new()
        .routes(routes!(chat::complete))
        .routes(routes!(model::list))
        .routes(routes!(model::show))
        .layer(from_fn(refusal::render))
}
