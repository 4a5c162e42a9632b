//! Failures as clients see them.

use behalf_blobs::{BlobError, WriteError};
use behalf_caller_db::AppError;
use behalf_problem::{Kind, Problem};
use behalf_queue::AddError;
use serde::Serialize;
use serde_json::{Map, Value, json};
use sqlx::FromRow;
use thiserror::Error;
use uuid::Uuid;

/// What a hidden source answers, and one that is not there.
pub(crate) const NO_SOURCE: &str = "Source not found";

/// Why a request about sources is not carried out.
#[derive(Debug, Error)]
pub(crate) enum SourceError {
    /// There is none for this caller.
    #[error("{NO_SOURCE}")]
    NotFound,
    /// The caller has the same file already.
    #[error("this file is there already")]
    Duplicate(Box<Duplicate>),
    /// It is not in a state for this.
    #[error("{0}")]
    WrongState(&'static str),
    /// There is no file to read.
    #[error("{0}")]
    NoFile(&'static str),
    /// The file is too large.
    #[error("a file may have at most {0} bytes")]
    TooLarge(u64),
    /// The caller has too much waiting.
    #[error("{0} sources wait to be read, and no more may; come back when some are")]
    TooManyWaiting(i64),
    /// The caller is banned, or gone.
    #[error("this user is suspended")]
    Suspended,
    /// The body ended early, or its sender failed.
    #[error("the file was not received whole; send it again")]
    CutShort,
    /// The bytes cannot be read or kept.
    #[error("the host cannot reach its files now; try again shortly")]
    Files(#[source] BlobError),
    /// A statement that ran as the caller failed.
    #[error("the database did not answer")]
    AsCaller(#[source] AppError),
    /// A statement of the host's own failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The caller's own source with the same file.
#[derive(Clone, Debug, PartialEq, Eq, FromRow, Serialize)]
pub(crate) struct Duplicate {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) file_type: Option<String>,
    pub(crate) extraction_status: String,
    pub(crate) created_at: String,
}

impl From<AppError> for SourceError {
    fn from(error: AppError) -> Self {
        Self::AsCaller(error)
    }
}

impl From<AddError> for SourceError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Full(most) => Self::TooManyWaiting(most.into()),
            AddError::Database(error) => Self::Database(error),
        }
    }
}

impl From<BlobError> for SourceError {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Gone => Self::NoFile("the file of this source is gone"),
            BlobError::Ledger(error) => Self::Database(error),
            error => Self::Files(error),
        }
    }
}

impl<E> From<WriteError<E>> for SourceError {
    fn from(error: WriteError<E>) -> Self {
        match error {
            WriteError::TooLarge(most) => Self::TooLarge(most),
            WriteError::Source(_) => Self::CutShort,
            WriteError::Blob(error) => error.into(),
        }
    }
}

impl Problem for SourceError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound | Self::NoFile(_) => Kind::NotFound,
            Self::Duplicate(_) | Self::WrongState(_) => Kind::Conflict,
            Self::TooLarge(_) => Kind::TooLarge,
            Self::TooManyWaiting(_) => Kind::TooManyRequests,
            Self::Suspended => Kind::Forbidden,
            Self::CutShort => Kind::BadRequest,
            Self::Files(_) => Kind::Unavailable,
            // Rows of an answer are bounded, so one of more bytes is a fault of the host.
            Self::AsCaller(AppError::TooLarge(_)) => Kind::Internal,
            Self::AsCaller(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            Self::AsCaller(error) => error.detail("sources"),
            _ => self.to_string(),
        }
    }

    /// The platform's clients read the code in `error`, and the sentence in `message`.
    fn members(&self) -> Map<String, Value> {
        let Self::Duplicate(duplicate) = self else { return Map::new() };
        let members = json!({ "error": "duplicate_source", "message": self.to_string(), "duplicate": duplicate });
        members.as_object().cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use behalf_web::ApiError;

    use super::*;

    #[test]
    fn a_duplicate_names_only_the_callers_own_source() {
        let duplicate = Duplicate {
            id: Uuid::nil(),
            name: "a.pdf".to_owned(),
            file_type: Some("pdf".to_owned()),
            extraction_status: "extracted".to_owned(),
            created_at: "2026-01-01T00:00:00+00:00".to_owned(),
        };
        let error = SourceError::Duplicate(Box::new(duplicate));
        assert_eq!(error.kind(), Kind::Conflict);
        let members = error.members();
        assert_eq!(members["error"], "duplicate_source");
        assert_eq!(members["duplicate"]["name"], "a.pdf");
        assert_eq!(members["duplicate"].as_object().map(Map::len), Some(5));
    }

    #[test]
    fn what_failed_in_the_host_says_nothing_of_it() {
        let error = SourceError::AsCaller(AppError::TooLarge(7));
        assert_eq!(ApiError::from(error).detail(), "internal error");
        assert_eq!(ApiError::from(SourceError::NotFound).status(), http::StatusCode::NOT_FOUND);
    }
}
