//! An agent's tools without its model: for clients that bring a model of their own.

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Agents;
use super::toolbox::{Kind, NotCalled, Toolbox};
use crate::identity::Principal;
use crate::sandbox::Progress;
use crate::tools::{CallContext, CallOutcome, ToolCallError, ToolInfo};

/// Why a call of an agent's tool returned nothing.
#[derive(Debug, Error)]
pub enum DirectCallError {
    /// No such agent.
    #[error("Agent not found")]
    Agent,
    /// The call was not made.
    #[error(transparent)]
    NotCalled(#[from] NotCalled),
    /// It was made and failed.
    #[error(transparent)]
    Call(#[from] ToolCallError),
    /// The database failed.
    #[error("the agent cannot be read")]
    Database(#[from] sqlx::Error),
}

impl Agents {
    /// The tools of an agent that can be called without a run, as this caller sees them; none where there is no such agent.
    pub async fn tools_of(&self, principal: &Principal, agent: Uuid) -> Result<Option<Vec<ToolInfo>>, sqlx::Error> {
        let toolbox = self.toolbox(principal, agent).await?;
        Ok(toolbox.map(|toolbox| {
            let callable = |info: &ToolInfo| {
                toolbox.find(&info.name).is_ok_and(|tool| tool.kind == Kind::Registered && !tool.needs_approval())
            };
            toolbox.infos().into_iter().filter(callable).collect()
        }))
    }

    /// Calls a tool of an agent, with the agent's forced arguments and rules, as the caller.
    pub async fn call_tool(
        &self,
        principal: &Arc<Principal>,
        agent: Uuid,
        name: &str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<CallOutcome, DirectCallError> {
        let toolbox = self.toolbox(principal, agent).await?.ok_or(DirectCallError::Agent)?;
        let tool = toolbox.find(name)?;
        if tool.needs_approval() || tool.kind != Kind::Registered {
            return Err(NotCalled::Approval.into());
        }
        let arguments = tool.arguments(arguments)?;
        let context = CallContext { agent_id: Some(agent), ..context };
        Ok(self.tools.call(principal, name, arguments, context, progress).await?)
    }

    async fn toolbox(&self, principal: &Principal, agent: Uuid) -> Result<Option<Toolbox>, sqlx::Error> {
        if self.db.agent(principal, agent).await?.is_none() {
            return Ok(None);
        }
        let mut toolbox = Toolbox::new(&self.tools, self.db.agent_tools(principal, agent).await?);
        toolbox.offer(&self.tools.mcp_tools(principal, agent).await?);
        Ok(Some(toolbox))
    }
}
