//! The outcome of a call: its answer, or the error that ended it.

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::{Blame, GuestDb, StatementError};
use behalf_problem::{Kind, Private, Problem};
use thiserror::Error;
use wasmtime::component::ResourceTableError;
use wasmtime::{Store, Trap};

use crate::capabilities::{
    EgressRecord, LogLine, MAX_RESOURCES, NoConnection, OperationRecord, PrepareError, StorageRecord, TooManyHostCalls,
};
use crate::limits::CallLimits;
use crate::state::CallState;

/// The outcome of a call. Its transaction is still open: the receiver commits it or rolls it back.
#[derive(Debug)]
pub struct CallOutput {
    /// The tool's JSON, or why there is none.
    pub result: Result<String, CallError>,
    /// Set where a service that the host needs was away for the call.
    pub outage: Option<Outage>,
    /// The caller's database.
    pub database: Option<GuestDb>,
    /// The lines that the guest logged and printed, and what the host says of requests that it did not send.
    pub log: Vec<LogLine>,
    /// The requests that it made, and those that were refused.
    pub egress: Vec<EgressRecord>,
    /// What it did with objects, and what was refused.
    pub storage: Vec<StorageRecord>,
    /// Its searches, and what it did with memories, what was refused included.
    pub operations: Vec<OperationRecord>,
    /// Time the guest itself ran: from its instance to its answer, without the time in which it waited and without the
    /// host's work on its statements.
    pub guest_time: Duration,
    /// The most memory it had, with what the host kept for it.
    pub memory_bytes: usize,
}

impl CallOutput {
    /// The output of a call that did not run.
    pub(crate) fn not_run(error: CallError, database: Option<GuestDb>) -> Self {
        Self {
            result: Err(error),
            outage: None,
            database,
            log: Vec::new(),
            egress: Vec::new(),
            storage: Vec::new(),
            operations: Vec::new(),
            guest_time: Duration::ZERO,
            memory_bytes: 0,
        }
    }
}

/// The database, or another service that the host needs, was away for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Whether something that the call sent, saved or committed before stays.
    pub has_effects: bool,
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The tool returned an error.
    #[error("the tool answered {}", code_word(.code))]
    Tool {
        /// `invalid_arguments`, `denied`, `failed` or a word of the tool's own.
        code: String,
        /// Its message.
        message: Private,
        /// Whether the same may succeed later.
        retryable: bool,
    },
    /// The component imports an interface that was not granted.
    #[error("this tool needs a capability that it was not granted ({0}); an operator can change the plugin's grants")]
    NotGranted(Arc<str>),
    /// The guest crashed.
    #[error("the tool crashed: {0}")]
    Trapped(String),
    /// The result is no JSON, or is nested too deeply to be read.
    #[error("the tool returned something that is not JSON, or nests more than 100 levels")]
    NotJson,
    /// The result does not fit the tool's own schema. The text says where, and may quote the result.
    #[error("the tool returned a result that does not fit its outputSchema")]
    Misfit(Private),
    /// The call took too long.
    #[error("the tool took longer than {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The guest asked for more memory than it may have, or made the host keep more for it.
    #[error(
        "the tool needs more than {0} bytes of memory, with what the host keeps for it; an operator can raise \
         limits.memory_bytes"
    )]
    Memory(usize),
    /// The guest holds too many handles of the host.
    #[error("the tool holds more than {MAX_RESOURCES} handles at once; drop those that it no longer needs")]
    Handles,
    /// The guest's result, or an argument that it gave the host, is too large.
    #[error("the tool returned more than {0} bytes")]
    Output(usize),
    /// The guest called the host too often.
    #[error("{0}")]
    HostCalls(String),
    /// The tool's folder is not usable.
    #[error("the host cannot open the tool's folder; try again shortly")]
    Files,
    /// The host has no place for another call, or no database connection for it. The call has done nothing.
    #[error("all places for running tools, or all their database connections, are taken; try again shortly")]
    Busy,
    /// The host has no database connection for a call that has already written, sent or saved something.
    #[error(
        "the host ran out of database connections in the middle of the call; what the tool committed or sent before stays, so check before you try again"
    )]
    Interrupted,
    /// A service that the host needs was away, and the tool could not do without. The call has done nothing.
    #[error(
        "the database, or another service of the host's, cannot be reached right now; nothing was changed; try again shortly"
    )]
    Unavailable,
    /// The same, in a call that had already written, sent or saved something.
    #[error(
        "the database, or another service of the host's, went away in the middle of the call; what the tool committed or sent before stays, so check before you try again"
    )]
    CutOff,
    /// The transaction could not be committed, or a statement failed and the tool answered as if it had not.
    #[error("commit: {code}")]
    Commit {
        /// A code of `behalf:tool/database.error`.
        code: &'static str,
        /// The reason, which may be the server's message.
        message: Private,
    },
}

impl CallError {
    /// The error of a call for which a service of the host's was away. What the guest then made of it is no failure of the tool;
    /// what it says of its caller stays.
    #[must_use]
    pub fn in_outage(self, outage: Option<Outage>) -> Self {
        let Some(Outage { has_effects }) = outage else { return self };
        match self {
            Self::Tool { ref code, .. } if code == "invalid_arguments" || code == "denied" => self,
            Self::Tool { .. } | Self::Trapped(_) | Self::NotJson | Self::Commit { code: "aborted", .. } => {
                if has_effects {
                    Self::CutOff
                } else {
                    Self::Unavailable
                }
            }
            other => other,
        }
    }

    /// The party that caused the failure: guest, caller or host.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Tool { code, .. } if code == "invalid_arguments" || code == "denied" => Blame::Caller,
            Self::NotGranted(_)
            | Self::Files
            | Self::Busy
            | Self::Interrupted
            | Self::Unavailable
            | Self::CutOff
            | Self::Commit { code: "unavailable" | StatementError::UNKNOWN, .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    /// A short stable name for the audit log and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Tool { code, .. } if code == "denied" => "denied",
            Self::Tool { .. } => "tool_error",
            Self::NotGranted(_) => "not_granted",
            Self::Trapped(_) => "trapped",
            Self::NotJson => "not_json",
            Self::Misfit(_) => "invalid_result",
            Self::Deadline(_) => "deadline",
            Self::Memory(_) => "memory_limit",
            Self::Handles => "handle_limit",
            Self::Output(_) => "output_limit",
            Self::HostCalls(_) => "host_call_limit",
            Self::Files => "files_unavailable",
            Self::Busy | Self::Interrupted => "busy",
            Self::Commit { code: StatementError::UNKNOWN, .. } => "commit_unknown",
            Self::Unavailable | Self::CutOff => "unavailable",
            Self::Commit { .. } => "commit_failed",
        }
    }
}

impl Problem for CallError {
    fn detail(&self) -> String {
        match self {
            Self::Tool { message, .. } | Self::Commit { message, .. } => message.for_caller().to_owned(),
            Self::Misfit(faults) => format!("{self}: {}", faults.for_caller()),
            other => other.to_string(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Tool { code, .. } if code == "denied" => Kind::Refused,
            Self::NotGranted(_) => Kind::NotGranted,
            Self::Tool { .. } | Self::Misfit(_) => Kind::ToolError,
            Self::Deadline(_) => Kind::Deadline,
            Self::Trapped(_) | Self::NotJson => Kind::ToolCrashed,
            Self::Memory(_) | Self::Handles | Self::Output(_) | Self::HostCalls(_) => Kind::Limit,
            Self::Files | Self::Unavailable | Self::CutOff => Kind::Unavailable,
            Self::Busy | Self::Interrupted => Kind::Busy,
            Self::Commit { code, .. } => match *code {
                "forbidden" | "refused" | "not_granted" => Kind::Refused,
                "unavailable" => Kind::Unavailable,
                StatementError::UNKNOWN => Kind::OutcomeUnknown,
                _ => Kind::NotCommitted,
            },
        }
    }
}

/// A code as the log may show it: a word. Anything else that a tool gives for its code could be a text.
fn code_word(code: &str) -> &str {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if (1..=40).contains(&code.len()) && code.chars().all(is_word) { code } else { "with a code that is no word" }
}

impl From<PrepareError> for CallError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::NotGranted(reason) => Self::NotGranted(reason.into()),
            PrepareError::Files => Self::Files,
        }
    }
}

/// Turns the error that ended a guest into the error of its call.
pub(crate) fn classify_exit<T>(
    result: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
    store: &Store<CallState>,
    limits: &CallLimits,
) -> Result<T, CallError> {
    let error = match result {
        Ok(Ok(value)) => return Ok(value),
        Err(_) => return Err(CallError::Deadline(limits.timeout)),
        Ok(Err(error)) => error,
    };
    if let Some(TooManyHostCalls) = error.downcast_ref() {
        return Err(CallError::HostCalls(TooManyHostCalls.to_string()));
    }
    if error.is::<NoConnection>() {
        return Err(CallError::Busy);
    }
    // An allocator that is refused memory aborts; the crash is only how it shows.
    if store.data().memory().has_refused() {
        return Err(CallError::Memory(limits.memory_bytes));
    }
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        return Err(CallError::Handles);
    }
    let text = root_message(&error);
    if text.contains("too much data is being copied") {
        return Err(CallError::Output(limits.output_bytes));
    }
    if text.contains("store handle limit exceeded") {
        return Err(CallError::Handles);
    }
    if text.contains("memory minimum size") || text.contains("memory limit") {
        return Err(CallError::Memory(limits.memory_bytes));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Err(CallError::Trapped("call stack exhausted".to_owned())),
        Some(trap) => Err(CallError::Trapped(trap.to_string())),
        None => Err(CallError::Trapped(text)),
    }
}

/// The innermost message, without the backtrace that wasmtime puts in front.
pub(crate) fn root_message(error: &wasmtime::Error) -> String {
    error.root_cause().to_string().lines().next().unwrap_or("unknown").chars().take(300).collect()
}
