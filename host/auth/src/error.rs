//! Failures as GoTrue's clients know them: a code, a sentence, and a status.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use behalf_passwords::HashError;
use behalf_problem::{Kind, LogText as _, Problem as _};
use behalf_web::{AlreadyRendered, ApiError};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The header by which clients say which form of errors they read, and the first version with the new form.
pub(crate) const API_VERSION: &str = "x-supabase-api-version";
const WITH_CODES: &str = "2024-01-01";

/// The body of every failure of `/auth/v1`. Clients that send `x-supabase-api-version: 2024-01-01` get `code` as text and
/// `message`; older ones get the status as `code`, the text as `error_code`, and `msg`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes what `body` writes")]
pub(crate) struct AuthProblem {
    /// The code of the failure, such as `invalid_credentials`.
    #[schema(value_type = Object)]
    code: Value,
    /// The code, for older clients.
    error_code: Option<String>,
    /// What went wrong.
    msg: Option<String>,
    /// What went wrong.
    message: Option<String>,
    /// Why a password is weak.
    #[schema(value_type = Option<Object>)]
    weak_password: Option<Value>,
}

/// A failure that is reported to the client.
#[derive(Clone, Debug)]
pub(crate) struct AuthError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: Cow<'static, str>,
    /// Reasons why a password is weak: `length`, `characters`, `pwned`.
    pub(crate) weak: Vec<&'static str>,
    /// Seconds after which a retry may succeed.
    pub(crate) retry_after: Option<u64>,
}

impl AuthError {
    /// A failure. `status` is a number such as 422.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, code, message: message.into(), weak: Vec::new(), retry_after: None }
    }

    /// 400: the request does not have the documented form.
    pub(crate) fn validation(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "validation_failed", message)
    }

    /// 500: the host itself failed. The log has the cause.
    pub(crate) fn internal(cause: &(impl std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause.log_text(), "a request to /auth/v1 failed");
        Self::new(500, "unexpected_failure", "Unexpected failure, please check server logs for more information")
    }

    /// 503: the same request may be answered soon.
    pub(crate) fn away(message: &'static str) -> Self {
        Self { retry_after: Some(1), ..Self::new(503, "unexpected_failure", message) }
    }

    /// The body for a client that sent this version, or none.
    pub(crate) fn body(&self, version: Option<&str>) -> Value {
        let mut body = if version.is_some_and(|version| version >= WITH_CODES) {
            json!({ "code": self.code, "message": self.message })
        } else {
            json!({ "code": self.status.as_u16(), "error_code": self.code, "msg": self.message })
        };
        if !self.weak.is_empty() {
            body["weak_password"] = json!({ "reasons": self.weak });
        }
        body
    }
}

impl From<sqlx::Error> for AuthError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            away if away.kind() == Kind::Unavailable => {
                tracing::warn!(error = error.log_text(), "the database does not answer a request to /auth/v1");
                Self::away("the database cannot be reached right now; try again shortly")
            }
            // Locked for too long, cancelled, or chosen to end a deadlock: the next try may go well.
            sqlx::Error::Database(refused)
                if matches!(refused.code().as_deref(), Some("55P03" | "57014" | "40P01")) =>
            {
                tracing::warn!(error = error.log_text(), "a request to /auth/v1 waited too long in the database");
                Self::away("the database is busy right now; try again shortly")
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<HashError> for AuthError {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => {
                let mut busy = Self::new(429, "over_request_rate_limit", error.to_string());
                busy.retry_after = Some(1);
                busy
            }
            HashError::Failed => Self::internal(&error),
        }
    }
}

impl From<ApiError> for AuthError {
    fn from(error: ApiError) -> Self {
        let code = match error.kind() {
            Kind::Unauthorized => "bad_jwt",
            Kind::TooManyRequests => "over_request_rate_limit",
            Kind::BadRequest | Kind::TooLarge => "validation_failed",
            _ => "unexpected_failure",
        };
        let retry_after = (error.kind() == Kind::Unavailable).then_some(1);
        Self { retry_after, ..Self::new(error.status().as_u16(), code, error.detail()) }
    }
}

impl IntoResponse for AuthError {
    fn into_response(self) -> Response {
        let (status, retry) = (self.status, self.retry_after);
        // The layer of the routes writes the body: only it knows which form the client reads.
        let mut response = status.into_response();
        if let Some(seconds) = retry {
            response.headers_mut().insert("retry-after", HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(AlreadyRendered);
        response.extensions_mut().insert(self);
        response
    }
}

/// The version of the interface that a client asks for.
pub(crate) fn api_version(headers: &HeaderMap) -> Option<&str> {
    headers.get(API_VERSION).and_then(|version| version.to_str().ok())
}
