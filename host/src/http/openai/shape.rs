//! Failures in `OpenAI`'s form, `{"error": {"message", "type", "param", "code"}}`. What went wrong and with which status, the
//! one mapping of failures says.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::http::error::{ApiError, Failure, Told};

/// A request that is not taken, and the field that is to blame.
#[derive(Debug)]
pub(super) struct Refusal {
    error: ApiError,
    blame: Blame,
}

/// What only whoever made the failure knows of it.
#[derive(Clone, Copy, Debug, Default)]
struct Blame {
    param: Option<&'static str>,
    code: Option<&'static str>,
}

impl Refusal {
    /// A field that is not as documented.
    pub(super) fn of(param: &'static str, text: impl Into<String>) -> Self {
        let blame = Blame { param: Some(param), code: Some("invalid_value") };
        Self { error: ApiError::BadRequest(text.into()), blame }
    }

    /// A field that asks for what an agent does not do.
    pub(super) fn unsupported(param: &'static str, text: impl Into<String>) -> Self {
        let blame = Blame { param: Some(param), code: Some("unsupported_parameter") };
        Self { error: ApiError::BadRequest(text.into()), blame }
    }

    /// No agent goes by this name.
    pub(super) fn no_model() -> Self {
        let blame = Blame { param: Some("model"), code: Some("model_not_found") };
        Self { error: ApiError::NotFound("no agent of this id or name; GET /v1/models lists those there are"), blame }
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

/// Gives every failure of these routes their own form, also those of the extractors.
pub(super) async fn shape(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let Some(Failure(error)) = response.extensions().get::<Failure>().cloned() else { return response };
    let blame = response.extensions().get::<Blame>().copied().unwrap_or_default();
    let body = told(response.status(), &error.detail(), blame);
    let headers = response.headers_mut();
    headers.remove(http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::from(body.to_string());
    response.extensions_mut().insert(Told);
    response
}

/// The same for a failure that shows after the answer has begun.
pub(super) fn late(message: &str) -> Value {
    told(StatusCode::INTERNAL_SERVER_ERROR, message, Blame { param: None, code: Some("run_failed") })
}

/// `OpenAI`'s words for a status, so that its clients do what they do there.
fn told(status: StatusCode, message: &str, blame: Blame) -> Value {
    let (kind, code) = match status {
        StatusCode::UNAUTHORIZED => ("invalid_request_error", Some("invalid_api_key")),
        StatusCode::PAYMENT_REQUIRED => ("insufficient_quota", Some("insufficient_quota")),
        StatusCode::TOO_MANY_REQUESTS => ("rate_limit_error", Some("rate_limit_exceeded")),
        StatusCode::NOT_FOUND => ("invalid_request_error", Some("not_found")),
        status if status.is_server_error() => ("server_error", None),
        _ => ("invalid_request_error", None),
    };
    json!({ "error": { "message": message, "type": kind, "param": blame.param, "code": blame.code.or(code) } })
}

/// JSON out.
pub(super) fn answer(value: Value) -> Response {
    Json(value).into_response()
}
