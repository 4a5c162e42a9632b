//! The API of `OpenAI`'s chat completions, where a model is an agent: programs that speak it run an agent under their
//! user's own token.
//!
//! It is the same run as `/api/agents/{id}/run`: a row, events, audited calls. What differs is its form, and that a client
//! which goes away ends its run, as this API has no way to come back to one.

mod answer;
mod ask;
mod chat;
mod held;
mod message;
mod model;
mod shape;
mod stream;

use std::convert::Infallible;

use axum::middleware::from_fn;
use axum::routing::{MethodRouter, get, post};
use http::Method;

use super::routes::Routes;
use super::state::AppState;

pub(super) fn router() -> Routes {
    let shaped = |service: MethodRouter<AppState, Infallible>| service.layer(from_fn(shape::shape));
    Routes::new()
        .on(Method::POST, "/v1/chat/completions", shaped(post(chat::complete)))
        .on(Method::GET, "/v1/models", shaped(get(model::list)))
        .on(Method::GET, "/v1/models/{model}", shaped(get(model::show)))
}
