//! Turns failures into HTTP responses. No other code chooses a status for a failure.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use behalf_problem::{Kind, Private, Problem, RateLimit};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Headers that belong to a body.
const OF_BODY: [HeaderName; 2] = [header::CONTENT_TYPE, header::CONTENT_LENGTH];

/// Whether the client is to send the request again, as `OpenAI`'s clients read it.
pub(crate) const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// A failure that is reported to the client. The operator `?` makes one from every error that implements [`Problem`].
#[derive(Clone, Debug)]
pub struct ApiError(Arc<dyn Problem>);

impl<E: Problem> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(Arc::new(error))
    }
}

/// A failure that a handler reports without an error type of its own.
#[derive(Debug, thiserror::Error)]
#[error("{kind:?}")]
struct Refusal {
    kind: Kind,
    /// For the client. It may quote the request.
    detail: Private,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Problem for Refusal {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn detail(&self) -> String {
        self.detail.for_caller().to_owned()
    }
}

impl ApiError {
    /// A failure of this kind; `detail` is the sentence for the client.
    pub fn new(kind: Kind, detail: impl Into<Private>) -> Self {
        Refusal { kind, detail: detail.into(), source: None }.into()
    }

    /// 400: the request does not have the documented form.
    pub fn bad_request(detail: impl Into<Private>) -> Self {
        Self::new(Kind::BadRequest, detail)
    }

    /// 403: the caller may not do this.
    pub fn forbidden(detail: impl Into<Private>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    /// 404: the object does not exist, or this caller may not see it.
    pub fn not_found(detail: &'static str) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    /// 503: a service that this host needs cannot be reached.
    pub fn unavailable(detail: impl Into<Private>) -> Self {
        Self::new(Kind::Unavailable, detail)
    }

    /// 500: the host itself failed. The log contains `source` and its causes; the client gets no details.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Refusal { kind: Kind::Internal, detail: "internal error".into(), source: Some(source.into()) }.into()
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// The HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        describe(self.kind()).0
    }

    /// The sentence for the client.
    pub fn detail(&self) -> String {
        match self.kind() {
            Kind::Internal => "internal error".to_owned(),
            _ => self.0.detail(),
        }
    }

    /// The error that this was made from.
    pub fn problem(&self) -> &dyn Problem {
        &*self.0
    }

    /// Whether the request may have changed something before it failed.
    pub(crate) fn had_effects(&self) -> bool {
        self.0.had_effects()
    }

    /// `response`, which reports this failure in the form of another API, with the headers that all routes send, such as `Retry-After`.
    pub fn rendered_as(self, mut response: Response) -> Response {
        let headers = self.clone().into_response();
        let own = headers.headers().iter().filter(|(name, _)| !OF_BODY.contains(name));
        own.for_each(|(name, value)| drop(response.headers_mut().insert(name, value.clone())));
        // For the request's log line.
        response.extensions_mut().insert(self);
        response.extensions_mut().insert(AlreadyRendered);
        response
    }

    /// The body of the response, with the request's id if it is known.
    pub(crate) fn body(&self, request_id: Option<&str>) -> Value {
        if let Some(exact) = self.0.exact_body() {
            return exact;
        }
        let (status, kind, title) = describe(self.kind());
        let document = ProblemDocument {
            kind: format!("urn:behalf:problem:{kind}"),
            title: title.to_owned(),
            status: status.as_u16(),
            error: self.detail(),
            detail: self.detail(),
            request_id: request_id.map(str::to_owned),
            members: self.0.members(),
        };
        serde_json::to_value(document).unwrap_or_default()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail())
    }
}

/// The body of every failure of `/api` (RFC 9457). A failure may have members beside these.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// `urn:behalf:problem:` and the kind of failure, such as `not-found`.
    #[serde(rename = "type")]
    kind: String,
    /// The title of the kind.
    title: String,
    /// The HTTP status.
    status: u16,
    /// The failure in one sentence.
    detail: String,
    /// The same sentence, where the platform's clients look for it.
    error: String,
    /// The id of the request, as in the header `x-request-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    members: Map<String, Value>,
}

/// The status of a kind, its name in `type`, and its title.
fn describe(kind: Kind) -> (StatusCode, &'static str, &'static str) {
    match kind {
        Kind::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized", "Unauthorized"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Forbidden"),
        Kind::Refused => (StatusCode::FORBIDDEN, "refused", "Refused"),
        Kind::NotGranted => (StatusCode::FORBIDDEN, "not-granted", "Not granted"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
        Kind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
        Kind::BadRequest => (StatusCode::BAD_REQUEST, "bad-request", "Bad request"),
        Kind::InvalidArguments => (StatusCode::BAD_REQUEST, "invalid-arguments", "Arguments do not fit"),
        Kind::InProgress => (StatusCode::CONFLICT, "in-progress", "In progress"),
        Kind::Conflict => (StatusCode::CONFLICT, "conflict", "Conflict"),
        Kind::InsufficientCredits => (StatusCode::PAYMENT_REQUIRED, "insufficient-credits", "Insufficient credits"),
        Kind::BillingUnreachable => (StatusCode::SERVICE_UNAVAILABLE, "billing-unreachable", "Billing unreachable"),
        Kind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "too-many-requests", "Too many requests"),
        Kind::Unprocessable => (StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", "Unprocessable"),
        Kind::ToolError => (StatusCode::UNPROCESSABLE_ENTITY, "tool-error", "The tool failed"),
        Kind::NotCommitted => (StatusCode::UNPROCESSABLE_ENTITY, "not-committed", "Not committed"),
        // Clients repeat what has a status of 500 or more.
        Kind::OutcomeUnknown => (StatusCode::UNPROCESSABLE_ENTITY, "outcome-unknown", "The outcome is not known"),
        Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
        Kind::RangeNotSatisfiable => {
            (StatusCode::RANGE_NOT_SATISFIABLE, "range-not-satisfiable", "Range not satisfiable")
        }
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Unavailable"),
        Kind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Busy"),
        Kind::NotImplemented => (StatusCode::NOT_IMPLEMENTED, "not-implemented", "Not implemented"),
        Kind::Upstream => (StatusCode::BAD_GATEWAY, "upstream", "Bad gateway"),
        Kind::ToolCrashed => (StatusCode::BAD_GATEWAY, "tool-crashed", "The tool crashed"),
        Kind::Deadline => (StatusCode::REQUEST_TIMEOUT, "deadline", "Deadline passed"),
        Kind::Limit => (StatusCode::INSUFFICIENT_STORAGE, "limit", "A limit was reached"),
        Kind::RunFailed => (StatusCode::INTERNAL_SERVER_ERROR, "run-failed", "The run failed"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
    }
}

/// Marks a response whose body reports the failure in the form of another API, so that the failure is logged and the
/// body kept.
#[derive(Clone, Copy, Debug)]
pub struct AlreadyRendered;

/// How a client of another API hears that the rest of its body did not come. A response with it is answered so, if that was the cause.
#[derive(Clone, Copy, Debug)]
pub struct StallRenderer(pub fn(ApiError) -> Response);

impl IntoResponse for ApiError {
    /// This does not log. The middleware `observe` logs the failure once, in the request's span, and adds the request's
    /// id.
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = (status, axum::Json(self.body(None))).into_response();
        let headers = response.headers_mut();
        let media_type = match self.0.exact_body() {
            Some(_) => "application/json",
            None => "application/problem+json",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            // A conflict with an existing object does not end by itself, so a retry is not suggested.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT
                if self.kind() != Kind::Conflict && !self.had_effects() =>
            {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        if self.had_effects() {
            // OpenAI's clients send whatever failed with such a status again, unless they read this.
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
        if let Some(limit) = self.0.rate_limit() {
            write_limit(headers, &limit);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes `Retry-After` and the `RateLimit-…` headers.
fn write_limit(headers: &mut HeaderMap, limit: &RateLimit) {
    headers.insert(header::RETRY_AFTER, HeaderValue::from(limit.seconds()));
    headers.insert(HeaderName::from_static("ratelimit-limit"), HeaderValue::from(limit.allowed));
    headers.insert(HeaderName::from_static("ratelimit-remaining"), HeaderValue::from(0_u16));
    headers.insert(HeaderName::from_static("ratelimit-reset"), HeaderValue::from(limit.seconds()));
}
