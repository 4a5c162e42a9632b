use std::time::Duration;

use thiserror::Error;

use super::recorder::Gone;
use crate::db::{CreditError, OpenRunError, StatementError};
use crate::models::ModelError;

/// What is said of a run whose host is gone.
pub(super) const HOST_STOPPED: &str = "the host stopped during this run";

/// Runs above a run.
pub(super) const MAX_DEPTH: i32 = 3;

/// Why a run was not begun.
#[derive(Debug, Error)]
pub enum StartError {
    /// No such agent.
    #[error("Agent not found")]
    Agent,
    /// No such conversation, or none this caller has with this agent.
    #[error("Session not found")]
    Session,
    /// As many runs go on as may.
    #[error("{whose} may have {allowed} runs at once; wait for one to end or cancel one")]
    TooMany {
        /// Whose runs were counted.
        whose: &'static str,
        /// How many there may be.
        allowed: u32,
    },
    /// There are not enough credits for it, or nobody can say.
    #[error(transparent)]
    Credits(#[from] CreditError),
    /// Another request took over the idempotency key.
    #[error("another request works under this Idempotency-Key; ask again shortly")]
    KeyLost,
    /// The caller's delegation does not reach so far.
    #[error("{0}")]
    Delegation(&'static str),
    /// The agent's stored settings cannot be read.
    #[error("the agent cannot run: {0}; an operator can change the agent")]
    Settings(String),
    /// The host shuts down.
    #[error("this host is shutting down; try again")]
    Closing,
    /// The host has too many runs.
    #[error("all places for runs are taken; try again shortly")]
    Busy,
    /// What the request names by id cannot be read.
    #[error("the context items cannot be read right now; try again shortly")]
    Context(#[source] StatementError),
    /// The database failed.
    #[error("the run cannot be stored")]
    Database(#[from] sqlx::Error),
    /// Agents that ask agents, too often in a row.
    #[error("agents may ask each other {MAX_DEPTH} times in a row, no more")]
    Depth,
    /// The task that begins runs ended.
    #[error("the run could not be begun")]
    Task(#[from] tokio::task::JoinError),
}

impl From<OpenRunError> for StartError {
    fn from(error: OpenRunError) -> Self {
        match error {
            OpenRunError::Session => Self::Session,
            OpenRunError::TooMany { whose, allowed } => Self::TooMany { whose, allowed },
            OpenRunError::KeyLost => Self::KeyLost,
            OpenRunError::Credits(error) => Self::Credits(error),
            OpenRunError::Delegation => {
                Self::Delegation("this delegation is revoked or over, or it has begun all the runs it may begin")
            }
            OpenRunError::Database(error) => Self::Database(error),
        }
    }
}

/// Why a run that was begun has no answer. The words are shown to clients.
#[derive(Debug, Error)]
pub(super) enum RunError {
    /// The model failed.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// The model's answer just stopped.
    #[error("the model's answer ended too early")]
    CutOff,
    /// The run took too long.
    #[error("the run took longer than {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The model goes round in circles.
    #[error("repeated call: the model called {0} three times in a row with the same arguments")]
    RepeatedCall(String),
    /// The last step has no answer either.
    #[error("the model gave no answer within {0} steps")]
    OutOfSteps(u32),
    /// The run's tokens are used up.
    #[error("the run used {0} tokens; {1} is all that the agent's max_total_tokens allows")]
    OutOfTokens(u64, u64),
    /// Events can no longer be stored.
    #[error(transparent)]
    Gone(#[from] Gone),
}
