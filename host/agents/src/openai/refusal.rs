//! Failures in `OpenAI`'s form, `{"error": {"message", "type", "param", "code"}}`. The kind of a failure and its status are
//! those of every other route.

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use behalf_problem::{Kind, Private, Problem};
use behalf_web::{AlreadyRendered, ApiError};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::run::{RunFailed, RunGoesOn, StartError};

/// A request that is not taken, and the field that is to blame.
#[derive(Debug)]
pub(super) struct Refusal {
    error: ApiError,
    blame: Blame,
}

/// The members of a failure that only its maker knows.
#[derive(Clone, Copy, Debug, Default)]
struct Blame {
    param: Option<&'static str>,
    code: Option<&'static str>,
    /// `type` where the status does not say it.
    kind: Option<&'static str>,
}

/// A run that has no answer.
const RUN_FAILED: Blame = Blame { param: None, code: Some("run_failed"), kind: Some("server_error") };
/// A run that goes on without its client.
const RUN_GOES_ON: Blame = Blame { param: None, code: Some("run_goes_on"), kind: Some("server_error") };

/// A failure after which a client must not send its request again by itself. The clients `openai`, `langchain` and `ai` send again what
/// failed with 408, 409, 429 or 5xx; `@langchain/core` also what failed with 422. Not all of them read `x-should-retry`, so the status is
/// one that nobody repeats.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Final<E: Problem>(#[source] E);

impl<E: Problem> Problem for Final<E> {
    fn kind(&self) -> Kind {
        Kind::BadRequest
    }

    fn detail(&self) -> String {
        self.0.detail()
    }

    fn had_effects(&self) -> bool {
        true
    }
}

/// The body of a failure.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenAiError {
    error: ErrorMembers,
}

/// The members of a failure.
#[derive(Debug, Serialize, ToSchema)]
struct ErrorMembers {
    /// What happened, in one sentence.
    message: String,
    /// `invalid_request_error`, `insufficient_quota`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field that is to blame.
    param: Option<&'static str>,
    /// A short stable name, where there is one.
    code: Option<&'static str>,
}

impl Refusal {
    /// A field that is not of the documented form.
    pub(super) fn invalid(param: &'static str, text: impl Into<Private>) -> Self {
        let blame = Blame { param: Some(param), code: Some("invalid_value"), kind: None };
        Self { error: ApiError::bad_request(text), blame }
    }

    /// A field that asks for something that an agent does not do.
    pub(super) fn unsupported(param: &'static str, text: impl Into<Private>) -> Self {
        let blame = Blame { param: Some(param), code: Some("unsupported_parameter"), kind: None };
        Self { error: ApiError::bad_request(text), blame }
    }

    /// No agent has this id or name.
    pub(super) fn no_model() -> Self {
        let blame = Blame { param: Some("model"), code: Some("model_not_found"), kind: None };
        let error = ApiError::not_found("no agent of this id or name; GET /v1/models lists those there are");
        Self { error, blame }
    }

    /// A run that has no answer.
    pub(super) fn failed(run: RunFailed) -> Self {
        Self { error: Final(run).into(), blame: RUN_FAILED }
    }

    /// A run that was not begun, or of which nobody knows whether it was.
    pub(super) fn not_begun(error: StartError) -> Self {
        match error {
            StartError::Agent => Self::no_model(),
            StartError::Unknown => Self { error: Final(error).into(), blame: RUN_FAILED },
            error => error.into(),
        }
    }

    /// A run that goes on without its client. Where the same request gets the run again, clients may send it by themselves.
    pub(super) fn goes_on(run: RunGoesOn) -> Self {
        let error = if run.may_repeat { run.into() } else { Final(run).into() };
        Self { error, blame: RUN_GOES_ON }
    }
}

impl<E: Into<ApiError>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self { error: error.into(), blame: Blame::default() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        response.extensions_mut().insert(self.blame);
        response
    }
}

/// Gives every failure `OpenAI`'s form.
pub(super) async fn render(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(error) = response.extensions().get::<ApiError>().cloned() else { return response };
    let blame = response.extensions().get::<Blame>().copied().unwrap_or_default();
    let body = OpenAiError::new(response.status(), error.detail(), blame);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(serde_json::to_string(&body).unwrap_or_default());
    response.extensions_mut().insert(AlreadyRendered);
    response
}

impl OpenAiError {
    /// A failure that shows after the answer has begun.
    pub(super) fn late(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message.to_owned(), RUN_FAILED)
    }

    /// A stream that ends before its run.
    pub(super) fn left(message: String) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message, RUN_GOES_ON)
    }

    /// `OpenAI`'s words for a status, so that its clients do what they do there.
    fn new(status: StatusCode, message: String, blame: Blame) -> Self {
        let (kind, code) = match status {
            StatusCode::UNAUTHORIZED => ("invalid_request_error", Some("invalid_api_key")),
            StatusCode::PAYMENT_REQUIRED => ("insufficient_quota", Some("insufficient_quota")),
            StatusCode::TOO_MANY_REQUESTS => ("rate_limit_error", Some("rate_limit_exceeded")),
            StatusCode::NOT_FOUND => ("invalid_request_error", Some("not_found")),
            status if status.is_server_error() => ("server_error", None),
            _ => ("invalid_request_error", None),
        };
        let kind = blame.kind.unwrap_or(kind);
        Self { error: ErrorMembers { message, kind, param: blame.param, code: blame.code.or(code) } }
    }
}
