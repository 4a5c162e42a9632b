//! The middleware that gives every request an id and a span, counts it, and logs failures.

use std::error::Error;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use tracing::Instrument;
use uuid::Uuid;

use behalf_problem::{Kind, LogText as _};
use behalf_telemetry::metric::{self, MethodLabel};

use crate::error::{AlreadyRendered, ApiError};
use crate::extract::RequestId;

/// Gives the request an id and a span, counts it, and logs a failure once, with all its causes.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map(MatchedPath::as_str);
    // Only the word `other` says that a client sent a method of its own: neither a label nor a log line repeats it.
    let method = MethodLabel::of(request.method().as_str());
    let (id_field, method_field, route_field) = (id.as_str(), method.as_str(), route.unwrap_or("unmatched"));
    let span =
        tracing::info_span!("request", request.id = id_field, http.method = method_field, http.route = route_field);
    request.extensions_mut().insert(RequestId(id.clone()));
    let started = Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    let _in_span = span.enter();
    if let Some(failure) = response.extensions().get::<ApiError>().cloned() {
        log(&failure, status.as_u16());
        if response.extensions().get::<AlreadyRendered>().is_none() {
            response.headers_mut().remove(CONTENT_LENGTH);
            *response.body_mut() = Body::from(failure.body(Some(&id)).to_string());
        }
    }
    tracing::debug!(http.status = status.as_u16(), duration_ms = started.elapsed().as_millis(), "answered");
    metric::request_answered(route, method, status.as_u16(), started.elapsed());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn log(failure: &ApiError, status: u16) {
    let error: &(dyn Error + 'static) = failure.problem();
    match failure.kind() {
        Kind::Internal => tracing::error!(http.status = status, error = error.log_text(), "internal error"),
        Kind::Unavailable | Kind::BillingUnreachable => {
            tracing::warn!(http.status = status, error = error.log_text(), "something that the host needs is away");
        }
        Kind::InvalidArguments
        | Kind::Refused
        | Kind::NotGranted
        | Kind::ToolError
        | Kind::ToolCrashed
        | Kind::NotCommitted
        | Kind::Deadline
        | Kind::Limit
        | Kind::Busy => tracing::info!(http.status = status, error = error.log_text(), "a tool call failed"),
        // What is wrong with a request is for its client: the text may quote it.
        kind => tracing::debug!(http.status = status, error.kind = ?kind, "refused"),
    }
}
