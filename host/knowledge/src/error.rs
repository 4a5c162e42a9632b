//! Failures as clients see them.

use behalf_caller_db::AppError;
use behalf_contracts::RetrievalError;
use behalf_problem::{Kind, Problem};
use thiserror::Error;

use crate::config::ConfigError;

/// What a hidden base answers, and one that is not there.
pub(crate) const NO_BASE: &str = "Knowledge base not found";
/// What an id answers that is none.
pub(crate) const BAD_BASE_ID: &str = "Invalid knowledge base id";
/// What a hidden source answers, and one that is not there.
pub(crate) const NO_SOURCE: &str = "Source not found";
/// What a source answers that is not in the base.
pub(crate) const NO_INDEXED_SOURCE: &str = "Indexed source not found";

/// The code of a privilege that is missing.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The code of a statement that was cancelled.
const QUERY_CANCELED: &str = "57014";

/// Why a request about knowledge bases is not carried out.
#[derive(Debug, Error)]
pub(crate) enum KnowledgeProblem {
    /// There is none for this caller.
    #[error("{0}")]
    NotFound(&'static str),
    /// The request is wrong; the text says what.
    #[error("{0}")]
    Invalid(String),
    /// It is not in a state for this.
    #[error("{0}")]
    WrongState(&'static str),
    /// The caller has as many as one may have.
    #[error("{0}")]
    TooMany(String),
    /// The caller is banned, or gone.
    #[error("this user is suspended")]
    Suspended,
    /// A configuration is not taken.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A statement that ran as the caller failed.
    #[error("the database did not answer")]
    AsCaller(#[source] AppError),
    /// A statement of the host's own failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<AppError> for KnowledgeProblem {
    fn from(error: AppError) -> Self {
        Self::AsCaller(error)
    }
}

impl Problem for KnowledgeProblem {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound(_) => Kind::NotFound,
            Self::Invalid(_) | Self::Config(ConfigError::Invalid(_)) => Kind::BadRequest,
            Self::WrongState(_) | Self::Config(ConfigError::Missing(_)) => Kind::Conflict,
            Self::Config(ConfigError::NotServed(_)) => Kind::NotImplemented,
            Self::TooMany(_) => Kind::TooManyRequests,
            Self::Suspended => Kind::Forbidden,
            Self::AsCaller(error) => of_caller(error),
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match (self, self.kind()) {
            (Self::Database(error), _) => error.detail(),
            (Self::AsCaller(_), Kind::Forbidden) => "the database does not let this caller read knowledge".to_owned(),
            (Self::AsCaller(_), Kind::Busy) => "the host is busy with requests of yours; try again shortly".to_owned(),
            (Self::AsCaller(_), Kind::TooLarge) => "the answer is too large; ask for fewer rows".to_owned(),
            (Self::AsCaller(_), _) => "the database took too long, or cannot be reached; try again shortly".to_owned(),
            _ => self.to_string(),
        }
    }
}

/// The kind of a failure of a statement that ran as the caller. A policy of the app's own may fail in any way.
fn of_caller(error: &AppError) -> Kind {
    match error {
        AppError::Busy(_) => Kind::Busy,
        AppError::Deadline(_) => Kind::Unavailable,
        AppError::TooLarge(_) => Kind::TooLarge,
        AppError::Database(error) => match error.sqlstate() {
            Some(INSUFFICIENT_PRIVILEGE) => Kind::Forbidden,
            None | Some(QUERY_CANCELED) => Kind::Unavailable,
            Some(code) if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") => {
                Kind::Unavailable
            }
            Some(_) => Kind::Internal,
        },
        AppError::Refused(_) | AppError::Identity => Kind::Internal,
    }
}

/// The same for those who search through [`behalf_contracts::Retrieval`].
impl From<KnowledgeProblem> for RetrievalError {
    fn from(problem: KnowledgeProblem) -> Self {
        match problem.kind() {
            Kind::NotFound => Self::NotFound,
            Kind::Forbidden => Self::Forbidden,
            Kind::Busy => Self::Busy,
            Kind::BadRequest | Kind::Conflict => Self::Invalid(problem.detail()),
            _ => Self::Unavailable(Box::new(problem)),
        }
    }
}

#[cfg(test)]
mod tests {
    use behalf_web::ApiError;

    use super::*;

    #[test]
    fn what_failed_in_the_host_says_nothing_of_it() {
        assert_eq!(ApiError::from(KnowledgeProblem::AsCaller(AppError::Identity)).detail(), "internal error");
        let missing = ApiError::from(KnowledgeProblem::NotFound(NO_BASE));
        assert_eq!((missing.status(), missing.detail()), (http::StatusCode::NOT_FOUND, NO_BASE.to_owned()));
        let graphs = KnowledgeProblem::from(ConfigError::NotServed("no"));
        assert_eq!(ApiError::from(graphs).status(), http::StatusCode::NOT_IMPLEMENTED);
    }
}
