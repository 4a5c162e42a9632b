//! Builds the router: the features' routes behind the layers that all of them share.

use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use behalf_problem::Kind;
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_DISPOSITION, CONTENT_LOCATION, CONTENT_RANGE, ETAG, LINK, LOCATION, WWW_AUTHENTICATE,
};
use http::{HeaderName, Method};
use tower::ServiceBuilder;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use utoipa::openapi::OpenApi;

use crate::cross_origin::CrossOrigin;
use crate::error::{ApiError, SHOULD_RETRY};
use crate::guard::Guard;
use crate::observe::Observe;
use crate::parameters::Parameters;
use crate::routes::Routes;

/// Largest body of an ordinary request; uploads have their own limit.
const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;

/// Makes the router of all declared routes, and their `OpenAPI` description.
pub fn router(declared: Routes) -> (Router, OpenApi) {
    let (served, description) = declared.split_for_parts();
    let parameters = Parameters::of(&description);
    let served = served
        .fallback(async || ApiError::not_found("no such endpoint"))
        .method_not_allowed_fallback(async || {
            ApiError::new(Kind::MethodNotAllowed, "this endpoint does not take this method")
        })
        // One layer of several parts: each layer of a router costs every request two more allocations.
        .layer(
            ServiceBuilder::new()
                .layer(Observe)
                .layer(CrossOrigin(cors()))
                .layer(Guard(parameters))
                .layer(DefaultBodyLimit::max(MAX_BODY_BYTES)),
        );
    (served, description)
}

/// Pages of any origin may call, because the identity is in headers that a page must set, never in cookies.
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
        // Whatever a page asks for: the app's own functions may read headers of its own.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list([
            header("x-request-id"),
            header("x-behalf-run-id"),
            header("x-behalf-session-id"),
            SHOULD_RETRY,
            header("retry-after"),
            header("idempotency-replayed"),
            header("ratelimit-limit"),
            header("ratelimit-remaining"),
            header("ratelimit-reset"),
            header("range-unit"),
            header("preference-applied"),
            header("content-profile"),
            header("x-supabase-api-version"),
            header("x-total-count"),
            // Of uploads in parts.
            header("upload-offset"),
            header("upload-length"),
            header("upload-defer-length"),
            header("upload-metadata"),
            header("upload-expires"),
            header("tus-resumable"),
            header("tus-version"),
            header("tus-extension"),
            header("tus-max-size"),
            header("tus-complete"),
            ACCEPT_RANGES,
            ALLOW,
            CONTENT_DISPOSITION,
            ETAG,
            LINK,
            CONTENT_LOCATION,
            CONTENT_RANGE,
            LOCATION,
            WWW_AUTHENTICATE,
        ]))
        .max_age(Duration::from_hours(1))
}
