//! The trait between the protocol and the tools that it offers.

use std::fmt::Debug;
use std::sync::Arc;

use behalf_contracts::{CallContext, CallOutcome, ToolCallError, ToolInfo};
use behalf_identity::Principal;
use behalf_problem::{Private, Problem as _};
use behalf_sandbox::Report;
use futures::future::BoxFuture;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::mpsc;

/// Why a call of a tool returned nothing.
#[derive(Debug, Error)]
pub enum SourceError {
    /// There is no tool of this name. The client gets an error of the protocol.
    #[error("Tool not found")]
    UnknownTool,
    /// The call failed or was not made. The client gets this text as the result, so that a model can read it and call again
    /// with other arguments.
    #[error("the call failed")]
    Failed(Private),
}

impl From<ToolCallError> for SourceError {
    fn from(error: ToolCallError) -> Self {
        match error {
            ToolCallError::NotFound => Self::UnknownTool,
            error => Self::Failed(error.detail().into()),
        }
    }
}

/// A set of tools that a client of the protocol sees: all tools of the host, or those of one agent.
pub trait ToolSource: Debug + Send + Sync {
    /// The caller's tools, in order of names: pages are cut by name.
    fn list(&self, principal: &Principal) -> Vec<ToolInfo>;

    /// The caller's tool of this name.
    fn get(&self, principal: &Principal, name: &str) -> Option<ToolInfo> {
        self.list(principal).into_iter().find(|tool| tool.name == name)
    }

    /// Calls a tool as the caller. Reports go to `progress` while the call runs. The protocol drops the future where the
    /// client goes away or cancels; that has to end the call.
    fn call<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        tool: &'a str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> BoxFuture<'a, Result<CallOutcome, SourceError>>;
}
