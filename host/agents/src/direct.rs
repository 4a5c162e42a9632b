//! An agent's tools without its model: for clients that bring a model of their own.

use std::sync::Arc;

use behalf_contracts::{CallContext, CallOutcome, ToolCallError, ToolInfo, ToolInvoker};
use behalf_identity::Principal;
use behalf_sandbox::Report;
use serde_json::Value;
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::knowledge::AgentKnowledge;
use crate::store::{AgentStore, AssignmentStore};
use crate::toolbox::{BoundTool, NotCalled, ToolTarget, Toolbox};

/// Why a call of an agent's tool returned nothing.
#[derive(Debug, Error)]
pub(crate) enum DirectCallError {
    /// No such agent.
    #[error("Agent not found")]
    Agent,
    /// The call was not made.
    #[error(transparent)]
    NotCalled(#[from] NotCalled),
    /// The call was made and failed.
    #[error(transparent)]
    Call(#[from] ToolCallError),
    /// The database failed.
    #[error("the agent cannot be read")]
    Database(#[from] sqlx::Error),
}

/// Calls tools of agents without a run.
#[derive(Clone, Debug)]
pub(crate) struct DirectCaller {
    tools: Arc<dyn ToolInvoker>,
    agents: AgentStore,
    assignments: AssignmentStore,
    knowledge: AgentKnowledge,
}

impl DirectCaller {
    /// Calls through `tools` what `assignments` and `knowledge` give to agents.
    pub(crate) fn new(
        tools: Arc<dyn ToolInvoker>,
        agents: AgentStore,
        assignments: AssignmentStore,
        knowledge: AgentKnowledge,
    ) -> Self {
        Self { tools, agents, assignments, knowledge }
    }

    /// The tools of an agent that can be called without a run, as this caller sees them; none where there is no such agent.
    pub(crate) async fn tools_of(
        &self,
        principal: &Arc<Principal>,
        agent: Uuid,
    ) -> Result<Option<Vec<ToolInfo>>, sqlx::Error> {
        let toolbox = self.toolbox(principal, agent).await?;
        Ok(toolbox.map(|toolbox| {
            let mut infos = toolbox.infos();
            infos.retain(|info| toolbox.find(&info.name).is_ok_and(needs_no_run));
            infos
        }))
    }

    /// Calls a tool of an agent, with the agent's forced arguments and rules, as the caller.
    pub(crate) async fn call(
        &self,
        principal: &Arc<Principal>,
        agent: Uuid,
        name: &str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> Result<CallOutcome, DirectCallError> {
        let toolbox = self.toolbox(principal, agent).await?.ok_or(DirectCallError::Agent)?;
        let tool = toolbox.find(name)?;
        if !needs_no_run(tool) {
            return Err(NotCalled::Approval.into());
        }
        let arguments = tool.arguments(arguments)?;
        let knowledge_bases = tool.scope.as_ref().map(|scope| Arc::clone(&scope.bases));
        let context = CallContext { agent_id: Some(agent), knowledge_bases, ..context };
        Ok(self.tools.call(principal, name, arguments, context, progress).await?)
    }

    async fn toolbox(&self, principal: &Arc<Principal>, agent: Uuid) -> Result<Option<Toolbox>, sqlx::Error> {
        if self.agents.find(principal, agent).await?.is_none() {
            return Ok(None);
        }
        let mut toolbox = Toolbox::new(&*self.tools, self.assignments.of_agent(principal, agent).await?);
        let bases = self.knowledge.of_agent(principal, agent).await?;
        self.knowledge.join(principal, &bases, &*self.tools, &mut toolbox).await;
        toolbox.offer(self.tools.agent_tools(principal, agent).await?);
        Ok(Some(toolbox))
    }
}

/// Whether a tool can be called without a run. Only a run can ask for an approval or begin a run of another agent.
fn needs_no_run(tool: &BoundTool) -> bool {
    tool.target == ToolTarget::Registered && !tool.needs_approval()
}
