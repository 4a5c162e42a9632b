use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::agents::DirectCallError;
use crate::http::state::AppState;
use crate::identity::Principal;
use crate::sandbox::Progress;
use crate::tools::{CallContext, CallOutcome, ToolInfo};

/// Whose tools are shown.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The host's.
    Host,
    /// One agent's, under its operator's rules.
    Agent(Uuid, Arc<Vec<ToolInfo>>),
}

impl Source {
    /// All of them, in order of their names.
    pub(super) fn list(&self, state: &AppState) -> Vec<ToolInfo> {
        match self {
            Self::Host => state.tools.list(),
            Self::Agent(_, tools) => tools.to_vec(),
        }
    }

    /// The one of this name.
    pub(super) fn get(&self, state: &AppState, name: &str) -> Option<ToolInfo> {
        match self {
            Self::Host => state.tools.get(name),
            Self::Agent(_, tools) => tools.iter().find(|tool| tool.name == name).cloned(),
        }
    }

    /// Calls one of them.
    pub(super) async fn call(
        &self,
        state: &AppState,
        principal: &Arc<Principal>,
        name: &str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<CallOutcome, DirectCallError> {
        match self {
            Self::Host => Ok(state.tools.call(principal, name, arguments, context, progress).await?),
            Self::Agent(agent, _) => {
                state.agents.call_tool(principal, *agent, name, arguments, context, progress).await
            }
        }
    }
}
