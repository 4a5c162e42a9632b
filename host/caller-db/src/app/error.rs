//! Why an app's request was not answered.

use std::time::Duration;

use behalf_pgwire::WireError;
use behalf_rest_plan::RestError;
use thiserror::Error;

use super::super::tool_pool::{Busy, NoLease};

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
    /// The server refused the statement, or cannot be reached.
    #[error(transparent)]
    Database(#[from] WireError),
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
