//! Calls of tools. The tools feature implements [`ToolInvoker`]; the agents feature and protocols call it.

use std::fmt::Debug;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::CommitGuard;
use behalf_identity::Principal;
use behalf_problem::{Kind, Problem};
use behalf_sandbox::{CallError, Report};
use behalf_schema::{Busy, CheckError, Fault};
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{CreditError, OfferedTools, ToolInfo};

/// The context of a call: its HTTP request and its run.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// The id of the HTTP request.
    pub request_id: Option<String>,
    /// The address that the request came from; it tells callers without a user apart where they share the host.
    pub client: Option<IpAddr>,
    /// The agent that makes the call, if one does.
    pub agent_id: Option<Uuid>,
    /// The agent's session.
    pub session_id: Option<String>,
    /// The run in that session.
    pub run_id: Option<String>,
    /// The step of that run.
    pub step: Option<u32>,
    /// The id that the model gave the call.
    pub model_call_id: Option<String>,
    /// A condition for the commit, such as that the host still has the lease of the run.
    pub commit_guard: Option<Arc<dyn CommitGuard>>,
    /// The only knowledge bases that the call may search, beside what its plugin was granted; no such bound where absent.
    pub knowledge_bases: Option<Arc<[Uuid]>>,
    /// Whether the call may search only sources that its caller owns.
    pub own_sources_only: bool,
}

/// The result of a call.
#[derive(Clone, Debug)]
pub struct CallOutcome {
    /// The call's id, as in the audit log.
    pub call_id: Uuid,
    /// The JSON that the tool returned.
    pub result: Box<RawValue>,
    /// The time from the request to the commit.
    pub duration: Duration,
}

/// Why a call failed.
#[derive(Debug, Error)]
pub enum ToolCallError {
    /// There is no tool of this name.
    #[error("Tool not found")]
    NotFound,
    /// The arguments do not fit the tool's schema.
    #[error("the arguments do not fit the tool's schema: {}", pointers(.0))]
    Arguments(Vec<Fault>),
    /// The call itself failed.
    #[error("{error}")]
    Call {
        /// The call's id, as in the audit log.
        call_id: Uuid,
        /// The reason.
        error: CallError,
    },
    /// The caller has too few credits, or they cannot be read.
    #[error(transparent)]
    Credits(#[from] CreditError),
    /// The arguments could not be checked, because too many others are.
    #[error("all places for checking arguments are taken; try again shortly")]
    Busy(#[from] Busy),
    /// The component could not be loaded.
    #[error("the tool cannot be loaded right now; try again shortly")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<CheckError> for ToolCallError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Busy(busy) => Self::Busy(busy),
            CheckError::Unusable(_) => Self::Unavailable(error.into()),
        }
    }
}

impl ToolCallError {
    /// A short name, which does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Arguments(_) => "invalid_arguments",
            Self::Call { error, .. } => error.name(),
            Self::Busy(_) => "busy",
            Self::Credits(CreditError::Insufficient { .. }) => "insufficient_credits",
            Self::Credits(CreditError::Unreachable(_)) | Self::Unavailable(_) => "unavailable",
        }
    }
}

impl Problem for ToolCallError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Arguments(_) => Kind::InvalidArguments,
            Self::Call { error, .. } => error.kind(),
            Self::Credits(error) => error.kind(),
            Self::Busy(_) => Kind::Busy,
            Self::Unavailable(_) => Kind::Unavailable,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Arguments(faults) => format!("the arguments do not fit the tool's schema: {}", list(faults)),
            Self::Call { error, .. } => error.detail(),
            Self::Credits(error) => error.detail(),
            Self::NotFound | Self::Busy(_) | Self::Unavailable(_) => self.to_string(),
        }
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = Map::from_iter([("code".to_owned(), json!(self.code()))]);
        match self {
            Self::Arguments(faults) => {
                members.insert("faults".to_owned(), json!(faults));
            }
            Self::Call { call_id, error } => {
                members.insert("call_id".to_owned(), json!(call_id));
                if let CallError::Tool { code, retryable, .. } = error {
                    members.insert("tool_code".to_owned(), json!(code));
                    members.insert("retryable".to_owned(), json!(retryable));
                }
            }
            Self::NotFound | Self::Busy(_) | Self::Unavailable(_) | Self::Credits(_) => {}
        }
        members
    }

    fn exact_body(&self) -> Option<Value> {
        match self {
            Self::Credits(error) => error.exact_body(),
            _ => None,
        }
    }

    /// A call that was refused before its tool began has changed nothing.
    fn had_effects(&self) -> bool {
        let Self::Call { error, .. } = self else { return false };
        !matches!(error, CallError::Busy | CallError::Unavailable | CallError::NotGranted(_) | CallError::Files)
    }
}

/// Where the arguments do not fit. The faults' messages quote them, and are for the caller alone.
fn pointers(faults: &[Fault]) -> String {
    let one = |fault: &Fault| if fault.pointer.is_empty() { "/".to_owned() } else { fault.pointer.clone() };
    faults.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn list(faults: &[Fault]) -> String {
    let one =
        |fault: &Fault| format!("{}: {}", if fault.pointer.is_empty() { "/" } else { &fault.pointer }, fault.message);
    faults.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Lists the host's tools and calls them.
pub trait ToolInvoker: Debug + Send + Sync {
    /// The tool of this name.
    fn get(&self, name: &str) -> Option<ToolInfo>;

    /// All tools in the order of their names.
    fn list(&self) -> Vec<ToolInfo>;

    /// The tools that the agent's own MCP servers offer the caller.
    fn agent_tools<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        agent: Uuid,
    ) -> BoxFuture<'a, Result<OfferedTools, sqlx::Error>>;

    /// Calls a tool in the principal's name. Tools of an MCP server can be called only if the agent of `context` has
    /// that server. Dropping the future ends the guest and rolls back, unless the commit has begun.
    fn call<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        tool: &'a str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> BoxFuture<'a, Result<CallOutcome, ToolCallError>>;
}
