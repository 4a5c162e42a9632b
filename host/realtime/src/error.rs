//! Failures of `/realtime/v1/api` as clients of Supabase Realtime know them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use behalf_problem::{Kind, LogText as _};
use behalf_web::{AlreadyRendered, ApiError, StallRenderer};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::bus::BusFull;
use crate::rights::RightsError;

/// How a client hears that its body stalled.
const STALLED: StallRenderer = StallRenderer(|error| RealtimeError::from(error).into_response());

/// The body of most failures. One of what was sent has `errors` instead: for each field, what is wrong with it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RealtimeProblem {
    /// What went wrong.
    message: String,
}

/// A failure that is reported to the client.
#[derive(Clone, Debug)]
pub(crate) struct RealtimeError {
    status: StatusCode,
    body: Value,
    /// The failure that all routes know, whose headers the answer has and which the request's log line tells.
    api: Option<ApiError>,
}

impl RealtimeError {
    /// A failure with a sentence.
    pub(crate) fn new(status: StatusCode, message: &str) -> Self {
        Self { status, body: json!({ "message": message }), api: None }
    }

    /// What is wrong with the fields of the body.
    pub(crate) fn fields(errors: &Value) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, body: json!({ "errors": errors }), api: None }
    }

    /// The body is of a type that the endpoint does not take.
    pub(crate) fn media_type() -> Self {
        let message = "Unsupported Media Type. Use application/json or application/octet-stream";
        Self { status: StatusCode::UNSUPPORTED_MEDIA_TYPE, body: json!({ "error": message }), api: None }
    }

    /// The caller may not send there.
    pub(crate) fn unauthorized() -> Self {
        ApiError::forbidden("Unauthorized").into()
    }

    /// The caller sends too much.
    pub(crate) fn too_many(message: &str) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, message)
    }
}

/// What all routes refuse: for a token, a limit, a body.
impl From<ApiError> for RealtimeError {
    fn from(error: ApiError) -> Self {
        let (status, detail) = (error.status(), error.detail());
        let message = if error.kind() == Kind::Unauthorized { "Unauthorized" } else { &detail };
        Self { status, body: json!({ "message": message, "error": detail }), api: Some(error) }
    }
}

/// Why a private message was not stored.
impl From<RightsError> for RealtimeError {
    fn from(error: RightsError) -> Self {
        let unprocessable = |message: &str| Self::new(StatusCode::UNPROCESSABLE_ENTITY, message);
        match &error {
            RightsError::Denied => Self::unauthorized(),
            RightsError::Policy(_) => unprocessable("RLS policy error"),
            RightsError::Slow => unprocessable("Query canceled"),
            RightsError::NotServed => unprocessable("Missing messages partition"),
            RightsError::Topic | RightsError::Payload | RightsError::Since | RightsError::TooMuch(_) => {
                unprocessable(&error.to_string())
            }
            RightsError::Busy(_) => Self::too_many("Connection pool exhausted"),
            RightsError::Database(_) => {
                tracing::warn!(error = error.log_text(), "a request to /realtime/v1 found no database");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "Tenant database unavailable")
            }
        }
    }
}

impl From<BusFull> for RealtimeError {
    fn from(_: BusFull) -> Self {
        Self::too_many("You have exceeded your rate limit")
    }
}

impl IntoResponse for RealtimeError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(AlreadyRendered);
        response.extensions_mut().insert(STALLED);
        match self.api {
            Some(api) => api.rendered_as(response),
            None => response,
        }
    }
}
