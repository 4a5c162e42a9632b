//! Failures as clients of Supabase Storage know them.

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use behalf_blobs::BlobError;
use behalf_caller_db::{AppError, UNKNOWN_COMMIT};
use behalf_host_db::ReadError;
use behalf_identity::VerifyError;
use behalf_pgwire::WireError;
use behalf_problem::{Kind, LogText as _};
use behalf_web::{AlreadyRendered, ApiError, StallRenderer};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use sqlx::postgres::PgDatabaseError;
use utoipa::ToSchema;

/// The status by which clients know that the database took too long.
const DATABASE_TIMEOUT: u16 = 544;

/// How a client hears that its body stalled, whatever else was wrong with the rest.
const STALLED: StallRenderer = StallRenderer(|error| StorageError::from(error).into_response());

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
    /// The failure that all routes know, whose headers the answer has and which the request's log line tells.
    api: Option<ApiError>,
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
            api: None,
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

    /// The caller may not do this.
    pub(crate) fn denied(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(403, "AccessDenied", message).named("Unauthorized")
    }

    /// Callers of another role may do this.
    pub(crate) fn wrong_role() -> Self {
        let status = StatusCode::from_u16(403).unwrap_or(StatusCode::BAD_REQUEST);
        Self::denied("Access denied: Invalid role").answered(status)
    }

    /// The request does not have the documented form.
    pub(crate) fn malformed(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "InvalidRequest", message).named("Error")
    }

    /// The host itself failed. The log has the cause.
    pub(crate) fn internal(cause: &(impl std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause.log_text(), "a request to /storage/v1 failed");
        Self::new(500, "InternalError", "Internal server error")
    }

    /// The database cannot be reached, which passes.
    fn away(cause: &(impl std::error::Error + 'static)) -> Self {
        tracing::warn!(error = cause.log_text(), "a request to /storage/v1 found no database");
        Self::new(503, "DatabaseError", "The database cannot be reached right now. Please try again later.")
    }

    /// The database took too long.
    fn timeout() -> Self {
        Self::new(DATABASE_TIMEOUT, "DatabaseTimeout", "The connection to the database timed out")
    }

    /// The database has no connection for this caller.
    fn slow_down() -> Self {
        Self::new(429, "SlowDown", "Too many connections issued to the database")
            .named("too_many_connections")
            .answered(StatusCode::TOO_MANY_REQUESTS)
    }

    /// This caller has too many uploads under way.
    pub(crate) fn too_many_uploads() -> Self {
        Self::new(429, "SlowDown", "Too many uploads at the same time. Please wait for some of them to end.")
            .named("too_many_requests")
            .answered(StatusCode::TOO_MANY_REQUESTS)
    }

    /// All callers together have.
    pub(crate) fn no_place() -> Self {
        Self::new(503, "SlowDown", "The server takes no more uploads right now. Please try again later.")
            .named("too_many_requests")
    }

    /// The store has no space left.
    fn full(cause: &(impl std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause.log_text(), "an upload to /storage/v1 did not fit");
        Self::new(507, "InsufficientStorage", "The server has no space left for this object")
            .named("Insufficient Storage")
    }

    /// What the database said of a statement.
    fn of_database(
        code: &str,
        message: &str,
        detail: Option<&str>,
        cause: &(impl std::error::Error + 'static),
    ) -> Self {
        match code {
            "42501" if message.contains("row-level security") => {
                Self::denied("new row violates row-level security policy")
            }
            "42501" => Self::denied(message.to_owned()),
            "23505" => Self::new(409, "ResourceAlreadyExists", "The resource already exists").named("Duplicate"),
            "23503" if detail.is_some_and(|detail| detail.contains("is still referenced from table")) => {
                let message = "The resource could not be updated or removed due to a foreign key constraint";
                Self::new(409, "ResourceReferenced", message)
            }
            "23503" => Self::new(404, "InvalidRequest", "The related resource does not exist"),
            "55P03" => Self::new(423, "ResourceLocked", "The resource is locked"),
            "57014" => Self::timeout(),
            "25006" => {
                let message = "The database is currently in read-only mode. Please try again later.";
                Self::new(503, "DatabaseReadOnly", message)
            }
            "42P17" => {
                let message = "The database schema is invalid or incompatible.";
                Self::new(503, "DatabaseInvalidObjectDefinition", message)
            }
            "42703" | "42P01" => {
                tracing::warn!(error = cause.log_text(), "a policy or trigger of objects names what is not there");
                let message = "There is a database schema mismatch in a trigger or RLS policy.";
                Self::new(503, "DatabaseSchemaMismatch", message)
            }
            "22P02" => Self::new(400, "InvalidParameter", message.to_owned()),
            // The session is ended, or the server.
            code if code.starts_with("57P") || code.starts_with("08") => Self::away(cause),
            "53300" => Self::slow_down(),
            code => {
                tracing::warn!(error = cause.log_text(), "the database refused a request to /storage/v1");
                Self::new(500, "DatabaseError", format!("database error, code: {}", shown_code(code)))
            }
        }
    }
}

/// Whether the database refused a statement because rows refer to others, by this constraint.
pub(crate) fn is_held_by(error: &AppError, constraint: &str) -> bool {
    match error {
        AppError::Database(WireError::Server { code, texts, .. }) => {
            code == "23503" && texts.for_app().0.contains(constraint)
        }
        _ => false,
    }
}

/// A code that an app's own function chose may be any text.
fn shown_code(code: &str) -> &str {
    let is_code = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_code { code } else { "raised" }
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // A pool whose server is away waits for it until the time is over.
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) => {
                Self::away(&error)
            }
            sqlx::Error::Database(refused) => {
                let detail = refused.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::detail);
                Self::of_database(&refused.code().unwrap_or_default(), refused.message(), detail, &error)
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<AppError> for StorageError {
    fn from(error: AppError) -> Self {
        match &error {
            AppError::Busy(_) => Self::slow_down(),
            AppError::Deadline(_) => Self::timeout(),
            AppError::Database(WireError::Server { code, texts, .. }) => {
                let (message, detail, _) = texts.for_app();
                Self::of_database(code, message, detail, &error)
            }
            AppError::Unknown(_) => {
                tracing::warn!(error = error.log_text(), "a commit of /storage/v1 got no answer");
                Self::new(500, "OutcomeUnknown", UNKNOWN_COMMIT)
            }
            AppError::Database(WireError::Io(_) | WireError::NotLoggedIn { .. }) => Self::away(&error),
            AppError::Database(_) | AppError::Refused(_) | AppError::TooLarge(_) | AppError::Identity => {
                Self::internal(&error)
            }
        }
    }
}

impl From<ReadError> for StorageError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Busy => Self::slow_down(),
            ReadError::Deadline(_) => Self::timeout(),
            ReadError::Database(error) => AppError::Database(error).into(),
        }
    }
}

impl From<BlobError> for StorageError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Gone => Self::no_object(),
            BlobError::Full => Self::full(&error),
            BlobError::Ledger(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

/// What all routes refuse: for a token, a limit, a body.
impl From<ApiError> for StorageError {
    fn from(error: ApiError) -> Self {
        let (status, detail) = (error.status(), error.detail());
        let problem: &(dyn std::error::Error + 'static) = error.problem();
        let refused = match (problem.downcast_ref::<VerifyError>(), error.kind()) {
            (Some(VerifyError::Missing), _) => Self::malformed("headers must have required property 'authorization'"),
            (_, Kind::Unauthorized) => Self::denied(detail),
            (_, Kind::Forbidden) => Self::denied(detail).answered(status),
            (_, Kind::BadRequest | Kind::InvalidArguments) => Self::malformed(detail),
            (_, Kind::TooLarge) => Self::new(413, "EntityTooLarge", detail).named("Payload too large").answered(status),
            (_, Kind::TooManyRequests) => {
                Self::new(429, "SlowDown", detail).named("too_many_requests").answered(status)
            }
            // The body stalled.
            (_, Kind::Deadline) => Self::new(408, "RequestTimeout", detail).named("Request Timeout").answered(status),
            (_, Kind::NotFound | Kind::MethodNotAllowed) => {
                Self::new(status.as_u16(), "InvalidRequest", detail).named("Not Found").answered(status)
            }
            _ => Self::new(status.as_u16(), "InternalError", detail).answered(status),
        };
        Self { api: Some(error), ..refused }
    }
}

impl IntoResponse for StorageError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.problem)).into_response();
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
