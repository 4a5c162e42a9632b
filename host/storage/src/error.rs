//! Failures as clients of Supabase Storage know them.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use behalf_blobs::BlobError;
use behalf_caller_db::AppError;
use behalf_problem::LogText as _;
use behalf_web::{AlreadyRendered, ApiError};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// The body of every failure of `/storage/v1`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct StorageProblem {
    /// The status that the failure means, as text. The status of the answer is often 400, as in Supabase Storage.
    #[serde(rename = "statusCode")]
    pub(crate) status_code: String,
    /// A short name, such as `not_found`.
    pub(crate) error: Cow<'static, str>,
    /// What went wrong.
    pub(crate) message: Cow<'static, str>,
    /// The code, such as `NoSuchKey`.
    pub(crate) code: &'static str,
}

/// A failure that is reported to the client.
#[derive(Clone, Debug)]
pub(crate) struct StorageError {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// The body of the answer.
    pub(crate) problem: StorageProblem,
}

impl StorageError {
    /// A failure that means `status` and has a code. The answer's own status is 400 then, or 5xx.
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let answer = if status >= 500 { status } else { 400 };
        Self {
            status: StatusCode::from_u16(answer).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            problem: StorageProblem {
                status_code: status.to_string(),
                error: code.into(),
                message: message.into(),
                code,
            },
        }
    }

    /// With another short name than its code.
    pub(crate) fn named(mut self, error: &'static str) -> Self {
        self.problem.error = error.into();
        self
    }

    /// With this status of the answer.
    pub(crate) fn answered(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// There is no such bucket for this caller.
    pub(crate) fn no_bucket() -> Self {
        Self::new(404, "NoSuchBucket", "Bucket not found").named("Bucket not found")
    }

    /// There is no such object for this caller.
    pub(crate) fn no_object() -> Self {
        Self::new(404, "NoSuchKey", "Object not found").named("not_found")
    }

    /// The host itself failed. The log has the cause.
    pub(crate) fn internal(cause: &(impl std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause.log_text(), "a request to /storage/v1 failed");
        Self::new(500, "InternalError", "Internal server error")
    }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<AppError> for StorageError {
    fn from(error: AppError) -> Self {
        Self::internal(&error)
    }
}

impl From<BlobError> for StorageError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Gone => Self::no_object(),
            error => Self::internal(&error),
        }
    }
}

impl From<ApiError> for StorageError {
    fn from(error: ApiError) -> Self {
        let status = error.status();
        Self::new(status.as_u16(), "InternalError", error.detail()).answered(status)
    }
}

impl IntoResponse for StorageError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
        response.extensions_mut().insert(AlreadyRendered);
        response
    }
}
