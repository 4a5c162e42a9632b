use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RANGE, WWW_AUTHENTICATE};
use http::{HeaderName, Method};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};

use super::error::ApiError;
use super::observe::observe;
use super::routes::{Route, Routes};
use super::state::AppState;
use super::{
    agents, approvals, audit, credits, delegations, health, mcp, mcp_servers, openai, plugins, provider_keys, runs,
    sessions, tools, usage, well_known,
};

/// Largest body of an ordinary request; uploads have their own bound.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// What each part of the host declares.
fn all() -> Routes {
    Routes::new()
        .merge(health::router())
        .merge(tools::router())
        .merge(well_known::router())
        .merge(plugins::router())
        .merge(audit::router())
        .merge(delegations::router())
        .merge(provider_keys::router())
        .merge(usage::router())
        .merge(credits::router())
        .merge(agents::router())
        .merge(mcp_servers::router())
        .merge(sessions::router())
        .merge(runs::router())
        .merge(mcp::router())
        .merge(openai::router())
        .merge(approvals::router())
}

/// Every route of the host.
pub fn routes() -> Vec<Route> {
    all().declared()
}

/// Serves every route of the host.
pub fn router(state: AppState) -> Router {
    all()
        .into_router()
        .fallback(async || ApiError::NotFound("no such endpoint"))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(ApiError::Internal("a handler panicked".into()))
        }))
        .layer(cors())
        .layer(middleware::from_fn(observe))
        .with_state(state)
}

/// Browsers of any origin may call: identity is in headers that a page has to set, never in cookies.
fn cors() -> CorsLayer {
    let header = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_credentials(true)
        .allow_methods(AllowMethods::list([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ]))
        .allow_headers(AllowHeaders::list([
            ACCEPT,
            AUTHORIZATION,
            CONTENT_TYPE,
            RANGE,
            header("x-requested-with"),
            header("apikey"),
            header("x-client-info"),
            header("x-behalf-act-as"),
            header("idempotency-key"),
            header("last-event-id"),
            header("accept-profile"),
            header("content-profile"),
            header("prefer"),
            header("mcp-protocol-version"),
            header("mcp-method"),
            header("mcp-name"),
            header("x-behalf-session-id"),
        ]))
        .expose_headers(ExposeHeaders::list([
            header("x-request-id"),
            header("retry-after"),
            header("idempotency-replayed"),
            header("ratelimit-limit"),
            header("ratelimit-remaining"),
            header("ratelimit-reset"),
            WWW_AUTHENTICATE,
        ]))
        .max_age(Duration::from_hours(1))
}
