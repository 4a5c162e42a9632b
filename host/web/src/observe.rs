//! The layer that gives every request an id and a span, counts it, and logs failures.

use std::convert::Infallible;
use std::error::Error;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use futures::future::BoxFuture;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use tower::{Layer, Service};
use tracing::{Instrument, Span};
use uuid::Uuid;

use behalf_problem::{Kind, LogText as _};
use behalf_telemetry::metric::{self, MethodLabel};
use behalf_telemetry::trace;

use crate::caller_note::CallerNote;
use crate::error::{AlreadyRendered, ApiError};
use crate::extract::RequestId;

/// Gives each request an id and a span, counts it, and logs a failure once, with all its causes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observe;

/// A service whose requests are observed.
#[derive(Clone, Debug)]
pub(crate) struct Observed<S>(S);

/// What is known of a request before it is answered.
struct Begun {
    id: Uuid,
    route: Option<MatchedPath>,
    method: MethodLabel,
    caller: CallerNote,
    started: Instant,
}

impl<S> Layer<S> for Observe {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed(inner)
    }
}

impl<S> Service<Request> for Observed<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let (begun, span) = Begun::new(&mut request);
        let answered = span.in_scope(|| self.0.call(request));
        Box::pin(async move {
            let mut response = answered.instrument(span.clone()).await?;
            span.in_scope(|| begun.end(&mut response));
            Ok(response)
        })
    }
}

impl Begun {
    fn new(request: &mut Request) -> (Self, Span) {
        let id = Uuid::now_v7();
        let route = request.extensions().get::<MatchedPath>().cloned();
        // Only the word `other` says that a client sent a method of its own: neither a label nor a log line repeats it.
        let method = MethodLabel::of(request.method().as_str());
        let mut text = Uuid::encode_buffer();
        let id_field: &str = id.hyphenated().encode_lower(&mut text);
        let (method_field, route_field) = (method.as_str(), route.as_ref().map_or("unmatched", MatchedPath::as_str));
        let span =
            tracing::info_span!("request", request.id = id_field, http.method = method_field, http.route = route_field);
        trace::continue_from(&span, request.headers());
        request.extensions_mut().insert(RequestId(id_field.to_owned()));
        let caller = CallerNote::default();
        request.extensions_mut().insert(caller.clone());
        (Self { id, route, method, caller, started: Instant::now() }, span)
    }

    fn end(self, response: &mut Response) {
        let Self { id, route, method, caller, started } = self;
        let status = response.status();
        let is_probe = route.as_ref().is_some_and(|route| PROBES.contains(&route.as_str()));
        let mut text = Uuid::encode_buffer();
        let id: &str = id.hyphenated().encode_lower(&mut text);
        if let Some(failure) = response.extensions().get::<ApiError>().cloned() {
            log(&failure, status.as_u16(), is_probe);
            if response.extensions().get::<AlreadyRendered>().is_none() {
                response.headers_mut().remove(CONTENT_LENGTH);
                *response.body_mut() = Body::from(failure.body(Some(id)).to_string());
            }
        }
        let (route, duration) = (route.as_ref().map(MatchedPath::as_str), started.elapsed());
        let caller = caller.get();
        let user = caller.and_then(|caller| caller.user).map(|user| user.to_string());
        trace::request_answered(&Span::current(), method.as_str(), route, status.as_u16(), user);
        let caller = caller.map_or("none", |caller| caller.kind);
        log_access(is_probe, status.as_u16(), duration, caller);
        metric::request_answered(route, method, status.as_u16(), duration);
        if let Ok(value) = HeaderValue::from_str(id) {
            response.headers_mut().insert("x-request-id", value);
        }
    }
}

/// What balancers and collectors ask every few seconds. Its lines would be most of the log of a quiet host.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// The one line of a request; its span has the id, the method and the route.
fn log_access(is_probe: bool, status: u16, duration: Duration, caller: &'static str) {
    let duration_ms = duration.as_secs_f64() * 1_000.0;
    if is_probe {
        tracing::debug!(target: "behalf::access", { http.status = status, duration_ms, caller.kind = caller }, "answered");
    } else {
        tracing::info!(target: "behalf::access", { http.status = status, duration_ms, caller.kind = caller }, "answered");
    }
}

fn log(failure: &ApiError, status: u16, is_probe: bool) {
    let error: &(dyn Error + 'static) = failure.problem();
    match failure.kind() {
        kind @ Kind::Unavailable if is_probe => tracing::debug!(http.status = status, error.kind = ?kind, "not ready"),
        Kind::Internal => tracing::error!(http.status = status, error = error.log_text(), "internal error"),
        Kind::Unavailable | Kind::BillingUnreachable | Kind::OutcomeUnknown => {
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
