//! The middleware that gives every request an id and a span, counts it, and logs failures.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use tracing::Instrument;
use uuid::Uuid;

use behalf_problem::Kind;

use crate::error::{AlreadyRendered, ApiError};
use crate::extract::RequestId;

/// Gives the request an id and a span, counts it, and logs a failure once, with all its causes.
pub(crate) async fn observe(mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().to_string();
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let span = tracing::info_span!("request", request.id = %id, http.method = %method, http.route = %route);
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
    let labels = [("route", route), ("method", method.to_string()), ("status", status.as_u16().to_string())];
    metrics::counter!("behalf_http_requests_total", &labels).increment(1);
    metrics::histogram!("behalf_http_request_seconds").record(started.elapsed().as_secs_f64());
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn log(failure: &ApiError, status: u16) {
    let error = failure.problem();
    match failure.kind() {
        Kind::Internal => tracing::error!(http.status = status, error = chain(error), "internal error"),
        Kind::Unavailable | Kind::BillingUnreachable => {
            tracing::warn!(http.status = status, error = chain(error), "something that the host needs is away");
        }
        Kind::InvalidArguments
        | Kind::Refused
        | Kind::NotGranted
        | Kind::ToolError
        | Kind::ToolCrashed
        | Kind::NotCommitted
        | Kind::Deadline
        | Kind::Limit
        | Kind::Busy => tracing::info!(http.status = status, error = chain(error), "a tool call failed"),
        _ => tracing::debug!(http.status = status, error = chain(error), "refused"),
    }
}

fn chain(error: &dyn behalf_problem::Problem) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}
