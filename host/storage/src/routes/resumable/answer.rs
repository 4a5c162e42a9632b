//! Answers of TUS: their bodies are plain text.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use behalf_web::{AlreadyRendered, ApiError, StallRenderer};
use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, StatusCode};

use crate::error::StorageError;

/// The version of the protocol, which every answer names.
pub(super) const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
pub(super) const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
pub(super) const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
pub(super) const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
pub(super) const TUS_COMPLETE: HeaderName = HeaderName::from_static("tus-complete");

/// How a client hears that its body stalled.
const STALLED: StallRenderer = StallRenderer(|error| TusError::from(error).into_response());

/// Why a request of an upload in parts was refused.
#[derive(Clone, Debug)]
pub(crate) struct TusError {
    status: u16,
    text: Cow<'static, str>,
}

impl TusError {
    /// With this status and text.
    pub(super) fn new(status: u16, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into() }
    }

    /// There is no such upload, or it is another caller's.
    pub(super) fn not_found() -> Self {
        Self::new(404, "The file for this url was not found\n")
    }

    /// The upload has expired.
    pub(super) fn expired() -> Self {
        Self::new(410, "The file for this url no longer exists\n")
    }

    /// The body has more bytes than are left.
    pub(super) fn too_much() -> Self {
        Self::new(413, "upload's size exceeded\n")
    }

    /// The whole has more bytes than its bucket takes.
    pub(super) fn too_large() -> Self {
        Self::new(413, "Maximum size exceeded\n")
    }

    /// The lengths of the headers do not go together.
    pub(super) fn length() -> Self {
        Self::new(400, "Upload-Length or Upload-Defer-Length header required\n")
    }

    /// Another request has taken over.
    pub(super) fn taken_over() -> Self {
        Self::new(400, "Request aborted due to lock acquired")
    }
}

impl From<StorageError> for TusError {
    fn from(error: StorageError) -> Self {
        let status = error.problem.status_code.parse().unwrap_or(500);
        Self::new(status, error.problem.message)
    }
}

impl From<sqlx::Error> for TusError {
    fn from(error: sqlx::Error) -> Self {
        StorageError::from(error).into()
    }
}

impl From<ApiError> for TusError {
    fn from(error: ApiError) -> Self {
        StorageError::from(error).into()
    }
}

impl IntoResponse for TusError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.text.into_owned()).into_response();
        response.headers_mut().insert(TUS_RESUMABLE, VERSION);
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(AlreadyRendered);
        response.extensions_mut().insert(STALLED);
        response
    }
}

/// An answer without a body.
pub(super) fn empty(status: StatusCode) -> Response {
    let mut response = status.into_response();
    response.headers_mut().insert(TUS_RESUMABLE, VERSION);
    response
}
