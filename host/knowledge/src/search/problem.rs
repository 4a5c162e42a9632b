//! What failed statements mean for a search.

use behalf_caller_db::{AppError, ReachError};
use behalf_contracts::RetrievalError;

/// The caller's role may not read a table.
const FORBIDDEN: &str = "42501";
/// The server cancelled the statement.
const CANCELLED: &str = "57014";

/// Something that the search needs is away.
pub(super) fn unavailable(error: impl std::error::Error + Send + Sync + 'static) -> RetrievalError {
    RetrievalError::Unavailable(Box::new(error))
}

/// Why a statement of the caller's failed.
pub(super) fn of_statement(error: AppError) -> RetrievalError {
    match error {
        AppError::Busy(_) => RetrievalError::Busy,
        AppError::Deadline(_) => RetrievalError::Timeout,
        AppError::Database(wire) => match wire.sqlstate() {
            Some(FORBIDDEN) => RetrievalError::Forbidden,
            Some(CANCELLED) => RetrievalError::Timeout,
            _ => unavailable(AppError::Database(wire)),
        },
        other => unavailable(other),
    }
}

/// Why the caller's sources are not known.
pub(super) fn of_reach(error: ReachError) -> RetrievalError {
    match error {
        ReachError::Caller(error) => of_statement(error),
        error @ ReachError::Policies(_) => unavailable(error),
    }
}
