//! Failures as clients and guests see them.

use behalf_caller_db::AppError;
use behalf_embeddings::EmbeddingError;
use behalf_problem::{Kind, Problem};
use behalf_sandbox::MemoryError;
use thiserror::Error;

/// What a hidden memory answers, and one that is not there.
pub(crate) const NO_MEMORY: &str = "Memory not found";

/// The code of a bound of the table.
const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
/// The code of a row that another one names and that is not there.
const FOREIGN_KEY_VIOLATION: &str = "23503";

/// Why a request about memories is not carried out.
#[derive(Debug, Error)]
pub(crate) enum MemoriesError {
    /// There is none for this caller.
    #[error("{NO_MEMORY}")]
    NotFound,
    /// The user has as many memories as a user may have.
    #[error("this user has 2000 memories, and no more may be added; forget some first")]
    Full,
    /// The agent was deleted meanwhile.
    #[error("the agent is gone")]
    AgentGone,
    /// It took too long.
    #[error("the database took too long; try again shortly")]
    Timeout,
    /// A model could not make the vector.
    #[error("the vector of the text cannot be made now")]
    Embedding(#[from] EmbeddingError),
    /// A statement that ran as the caller failed.
    #[error("the database did not answer")]
    AsCaller(#[from] AppError),
    /// A statement of the host's own failed.
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for MemoriesError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() {
            Some(PROGRAM_LIMIT_EXCEEDED) => Self::Full,
            Some(FOREIGN_KEY_VIOLATION) => Self::AgentGone,
            _ => Self::Database(error),
        }
    }
}

impl Problem for MemoriesError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Full | Self::AgentGone => Kind::Conflict,
            Self::Timeout => Kind::Unavailable,
            Self::Embedding(error) => error.kind(),
            // Rows of an answer are bounded, so one of more bytes is a fault of the host.
            Self::AsCaller(AppError::TooLarge(_)) => Kind::Internal,
            Self::AsCaller(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            Self::AsCaller(error) => error.detail("memories"),
            _ => self.to_string(),
        }
    }
}

impl MemoriesError {
    /// What a guest is told.
    pub(crate) fn for_guest(&self) -> MemoryError {
        match (self, self.kind()) {
            (Self::Full, _) => MemoryError::new("limit", self.to_string()),
            (Self::AgentGone, _) => MemoryError::new("denied", self.to_string()),
            (Self::Timeout, _) => MemoryError { code: "timeout", message: self.to_string(), retryable: true },
            (_, Kind::Forbidden) => MemoryError::new("denied", "the database does not let this caller read memories"),
            _ => MemoryError::unavailable(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_learns_what_it_can_act_on_and_nothing_of_the_host() {
        assert_eq!(MemoriesError::Full.for_guest().code, "limit");
        assert_eq!(MemoriesError::Timeout.for_guest().code, "timeout");
        let broken = MemoriesError::from(sqlx::Error::Protocol("secret words".to_owned()));
        assert_eq!(broken.for_guest(), MemoryError::unavailable());
    }
}
