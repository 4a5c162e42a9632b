//! Why an app's request was not answered.

use std::time::Duration;

use behalf_pgwire::WireError;
use behalf_problem::Kind;
use behalf_rest_plan::RestError;
use thiserror::Error;

use super::super::tool_pool::{Busy, NoLease};

/// The code of a privilege that is missing.
const INSUFFICIENT_PRIVILEGE: &str = "42501";
/// The code of a statement that was cancelled.
const QUERY_CANCELED: &str = "57014";

/// Why an app's request was not answered.
#[derive(Debug, Error)]
pub enum AppError {
    /// The answer did not fit what was asked for.
    #[error("the plan refused its own answer")]
    Refused(Box<RestError>),
    /// There is no connection for this caller.
    #[error("{0}")]
    Busy(String),
    /// It took too long, and its statement was cancelled.
    #[error("the request took longer than {} s", .0.as_secs_f64())]
    Deadline(Duration),
    /// The answer is too large.
    #[error("the answer has more than {0} bytes")]
    TooLarge(usize),
    /// The session's identity was not the one that was bound.
    #[error("the session's identity changed during the request; it was rolled back and its connection closed")]
    Identity,
    /// The connection broke with the commit on its way, so the write may have been made.
    #[error("the connection to the database broke during a commit")]
    Unknown(#[source] WireError),
    /// The server refused the statement, or cannot be reached.
    #[error(transparent)]
    Database(#[from] WireError),
}

/// What is told of a write whose commit got no answer.
pub const UNKNOWN_COMMIT: &str =
    "the connection to the database broke, and whether this was written is not known; look before you send it again";

impl AppError {
    /// The failure of a message that committed: where no answer came, nobody knows whether the server had made the commit.
    pub(crate) fn of_commit(self) -> Self {
        match self {
            Self::Database(error @ (WireError::Io(_) | WireError::Protocol(_))) => Self::Unknown(error),
            other => other,
        }
    }

    /// The kind of this failure, where the statement was the host's own and ran as the caller. A policy of the app's own may fail in any way.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Busy(_) => Kind::Busy,
            Self::Deadline(_) => Kind::Unavailable,
            Self::Unknown(_) => Kind::OutcomeUnknown,
            Self::TooLarge(_) => Kind::TooLarge,
            Self::Database(error) => match error.sqlstate() {
                Some(INSUFFICIENT_PRIVILEGE) => Kind::Forbidden,
                None | Some(QUERY_CANCELED) => Kind::Unavailable,
                Some(code) if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") => {
                    Kind::Unavailable
                }
                Some(_) => Kind::Internal,
            },
            Self::Refused(_) | Self::Identity => Kind::Internal,
        }
    }

    /// One sentence for the client, who wanted to read `what`, such as `sources`.
    pub fn detail(&self, what: &str) -> String {
        match self.kind() {
            Kind::Forbidden => format!("the database does not let this caller read {what}"),
            Kind::Busy => "the host is busy with requests of yours; try again shortly".to_owned(),
            Kind::TooLarge => "the answer is too large; ask for fewer rows".to_owned(),
            Kind::OutcomeUnknown => UNKNOWN_COMMIT.to_owned(),
            _ => "the database took too long, or cannot be reached; try again shortly".to_owned(),
        }
    }
}

impl From<RestError> for AppError {
    fn from(error: RestError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl From<Busy> for AppError {
    fn from(busy: Busy) -> Self {
        Self::Busy(busy.to_string())
    }
}

impl From<NoLease> for AppError {
    fn from(error: NoLease) -> Self {
        match error {
            NoLease::Busy(busy) => busy.into(),
            NoLease::Wire(error) => Self::Database(error),
        }
    }
}
