//! The Model Context Protocol over streamable HTTP: the caller's tools, and those of one agent.
//!
//! Every request brings its own bearer and is verified as those of `/api` are. Nothing is kept from one request to the
//! next, so there is no session that somebody else could resume or end.

mod allowed;
mod content;
mod face;
mod in_flight;
mod metadata;
mod serve;
mod shape;
mod source;

use std::convert::Infallible;

use axum::Extension;
use axum::routing::{MethodRouter, post};
use http::Method;

use super::routes::Routes;
use super::state::AppState;
use in_flight::InFlight;

/// Where the protocol is served.
const PATH: &str = "/mcp";

pub(super) fn router() -> Routes {
    let calls = InFlight::default();
    let knowing = |service: MethodRouter<AppState, Infallible>| service.layer(Extension(calls.clone()));
    Routes::new()
        .on(Method::POST, PATH, knowing(post(serve::tools_of_host)))
        .on(Method::POST, "/mcp/agents/{agent}", knowing(post(serve::tools_of_agent)))
        .merge(metadata::router())
}
