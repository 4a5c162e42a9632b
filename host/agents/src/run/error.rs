//! Why a run was not begun, and why one has no answer.

use std::time::Duration;

use behalf_caller_db::StatementError;
use behalf_contracts::CreditError;
use behalf_identity::VerifyError;
use behalf_models::ModelError;
use behalf_problem::{Kind, Problem, RateLimit};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::provider_access::AccessError;
use crate::store::OpenRunError;

/// Runs that may be above a run.
pub(crate) const MAX_DEPTH: i32 = 3;

/// When a client that met the limit of runs at once may come back.
const COME_BACK: Duration = Duration::from_secs(1);

/// Why a run was not begun.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// No such agent.
    #[error("Agent not found")]
    Agent,
    /// No such session, or none this caller has with this agent.
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
    /// There are not enough credits for it, or they cannot be read.
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
    /// Passages that the request names by id cannot be read.
    #[error("the context items cannot be read right now; try again shortly")]
    Context(#[source] StatementError),
    /// The request names knowledge bases, and this host has none.
    #[error("this host serves no knowledge bases")]
    NoKnowledge,
    /// No such search, or none of this caller's.
    #[error("Context handler not found")]
    NoHandler,
    /// The connection to the database broke, and nobody knows whether the run was begun.
    #[error(
        "the database went away as the run began, and nobody knows whether it did; look at the caller's runs before you ask again"
    )]
    Unknown,
    /// The database failed.
    #[error("the run cannot be stored")]
    Database(#[from] sqlx::Error),
    /// Agents ask agents too often in a row.
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
            OpenRunError::Unknown => Self::Unknown,
            OpenRunError::Database(error) => Self::Database(error),
        }
    }
}

impl From<AccessError> for StartError {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::Database(error) => Self::Database(error),
            AccessError::Unusable(text) => Self::Settings(text),
        }
    }
}

impl Problem for StartError {
    fn kind(&self) -> Kind {
        match self {
            Self::Agent | Self::Session | Self::NoHandler => Kind::NotFound,
            Self::TooMany { .. } => Kind::TooManyRequests,
            Self::Credits(error) => error.kind(),
            Self::KeyLost => Kind::InProgress,
            Self::Unknown => Kind::OutcomeUnknown,
            Self::Delegation(_) => Kind::Forbidden,
            Self::Settings(_) | Self::Depth | Self::NoKnowledge => Kind::Unprocessable,
            Self::Busy => Kind::Busy,
            Self::Context(error) if error.code == StatementError::BUSY => Kind::Busy,
            Self::Closing | Self::Context(_) => Kind::Unavailable,
            Self::Database(error) => error.kind(),
            Self::Task(_) => Kind::Internal,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Credits(error) => error.detail(),
            Self::Database(error) => error.detail(),
            other => other.rate_limit().map_or_else(|| other.to_string(), |limit| limit.to_string()),
        }
    }

    fn exact_body(&self) -> Option<Value> {
        match self {
            Self::Credits(error) => error.exact_body(),
            _ => None,
        }
    }

    fn rate_limit(&self) -> Option<RateLimit> {
        match self {
            Self::TooMany { allowed, .. } => {
                Some(RateLimit { limit: "runs at once", allowed: *allowed, wait: COME_BACK })
            }
            _ => None,
        }
    }

    fn had_effects(&self) -> bool {
        matches!(self, Self::Unknown)
    }
}

/// This host has no longer the lease on a run, or cannot store anything for it: another host reclaimed the run, the run is
/// gone, or the database is away.
#[derive(Clone, Copy, Debug, Error)]
#[error("the run's events can no longer be stored")]
pub(crate) struct LeaseLost;

/// Why a run that was begun has no answer. The words are shown to clients.
#[derive(Debug, Error)]
pub(crate) enum RunError {
    /// The model failed.
    #[error("{0}")]
    Model(#[from] ModelError),
    /// The model's answer just stopped.
    #[error("the model's answer ended too early")]
    CutOff,
    /// The run took too long.
    #[error("the run took longer than {} seconds", .0.as_secs())]
    Timeout(Duration),
    /// The model makes the same call again and again.
    #[error("repeated call: the model called {0} three times in a row with the same arguments")]
    RepeatedCall(String),
    /// The last step has no answer either.
    #[error("the model gave no answer within {0} steps")]
    OutOfSteps(u32),
    /// The run's tokens are used up.
    #[error("the run used {0} tokens; {1} is all that the agent's max_total_tokens allows")]
    OutOfTokens(u64, u64),
    /// Nothing can be stored for the run any more.
    #[error(transparent)]
    LeaseLost(#[from] LeaseLost),
}

impl RunError {
    /// What the model's endpoint said of it, for the operator.
    pub(crate) fn reason(&self) -> Option<String> {
        match self {
            Self::Model(error) => error.reason().map(|reason| reason.as_str().to_owned()),
            _ => None,
        }
    }
}

/// A run that ended without an answer, for the client that waited for it.
#[derive(Clone, Debug, Error)]
#[error("{error}")]
pub(crate) struct RunFailed {
    /// The run.
    pub(crate) run_id: String,
    /// What happened.
    pub(crate) error: String,
    /// What the model's endpoint said of it, where the service role asks.
    pub(crate) reason: Option<String>,
}

impl Problem for RunFailed {
    fn kind(&self) -> Kind {
        Kind::RunFailed
    }

    fn members(&self) -> Map<String, Value> {
        let reason = self.reason.as_ref().map(|reason| ("error_reason".to_owned(), json!(reason)));
        std::iter::once(("run_id".to_owned(), json!(self.run_id))).chain(reason).collect()
    }

    fn had_effects(&self) -> bool {
        true
    }
}

/// Why a wait for a run's end broke off.
#[derive(Debug, Error)]
pub(crate) enum WaitError {
    /// The caller's token expired.
    #[error(transparent)]
    Expired(#[from] VerifyError),
    /// The database failed.
    #[error("the run cannot be read")]
    Database(#[from] sqlx::Error),
    /// This host stops.
    #[error("this host stops")]
    HostStops,
}

/// A run that goes on without the client that waited for it.
#[derive(Debug, Error)]
#[error("{reason}")]
pub(crate) struct RunGoesOn {
    /// The run.
    pub(crate) run_id: String,
    /// Why nobody waits any more.
    #[source]
    pub(crate) reason: WaitError,
    /// Whether the same request, sent again, gets this run.
    pub(crate) may_repeat: bool,
}

impl Problem for RunGoesOn {
    fn kind(&self) -> Kind {
        match &self.reason {
            WaitError::Expired(error) => error.kind(),
            WaitError::Database(_) | WaitError::HostStops => Kind::Unavailable,
        }
    }

    fn detail(&self) -> String {
        let reason = match &self.reason {
            WaitError::Expired(error) => error.detail(),
            WaitError::Database(error) => error.detail(),
            WaitError::HostStops => "this host stops".to_owned(),
        };
        let way =
            if self.may_repeat { "send the same request again, or ask for" } else { "do not send it again, ask for" };
        format!("{reason}; the run goes on: {way} /api/agents/runs/{}", self.run_id)
    }

    fn members(&self) -> Map<String, Value> {
        let run = format!("/api/agents/runs/{}", self.run_id);
        let events = json!(format!("{run}/events"));
        Map::from_iter([
            ("run_id".to_owned(), json!(self.run_id)),
            ("run".to_owned(), json!(run)),
            ("events".to_owned(), events),
        ])
    }

    fn had_effects(&self) -> bool {
        !self.may_repeat
    }
}
