//! Failures as clients see them.

use behalf_caller_db::AppError;
use behalf_contracts::RetrievalError;
use behalf_problem::{Kind, Problem};
use behalf_queue::AddError;
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

impl From<AddError> for KnowledgeProblem {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Full(most) => {
                Self::TooMany(format!("{most} sources wait to be indexed, and no more may; come back when some are"))
            }
            AddError::Database(error) => Self::Database(error),
        }
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
            Self::AsCaller(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            Self::AsCaller(error) => error.detail("knowledge"),
            _ => self.to_string(),
        }
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
