//! The Model Context Protocol over the tools of one agent, for clients that bring a model of their own.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use behalf_contracts::{CallContext, CallOutcome, ToolInfo};
use behalf_identity::Principal;
use behalf_mcp::{SourceError, ToolSource};
use behalf_sandbox::Report;
use behalf_web::{ApiError, Path, Routes, SignedIn, input, routes};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::direct::{DirectCallError, DirectCaller};
use crate::state::AgentsState;

const NO_AGENT: &str = "Agent not found";

pub(crate) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(serve))
}

/// Answers a message of the protocol. Offers the tools of one agent that need no approval and ask no other agent, with the
/// agent's forced arguments and rules.
#[utoipa::path(
    post,
    path = "/mcp/agents/{agent}",
    operation_id = "agent_mcp",
    tag = "MCP",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    request_body(content = Value, description = "A JSON-RPC message of the Model Context Protocol"),
    responses(
        (status = 200, description = "A JSON-RPC message, or a stream of them", body = Value),
        (status = 202, description = "The notification is accepted"),
    ),
)]
async fn serve(
    State(state): State<AgentsState>,
    caller: Result<SignedIn, ApiError>,
    Path(agent): Path<String>,
    request: Request,
) -> Response {
    let agent = input::id(&agent, NO_AGENT);
    // Only an id is repeated in a header.
    let path = agent.as_ref().map_or_else(|_| "/mcp".to_owned(), |agent| format!("/mcp/agents/{agent}"));
    let access = match (caller, agent) {
        (Ok(SignedIn(principal)), Ok(agent)) => AgentTools::of(&state.agents.direct, &principal, agent)
            .await
            .map(|tools| (principal, Arc::new(tools) as Arc<dyn ToolSource>)),
        (Err(error), _) | (_, Err(error)) => Err(error),
    };
    state.mcp.serve(&path, access, request).await
}

/// The tools of one agent, as one caller sees them.
#[derive(Debug)]
struct AgentTools {
    direct: DirectCaller,
    agent: Uuid,
    /// In order of names.
    tools: Vec<ToolInfo>,
}

impl AgentTools {
    async fn of(direct: &DirectCaller, principal: &Arc<Principal>, agent: Uuid) -> Result<Self, ApiError> {
        let found = direct.tools_of(principal, agent).await?;
        let mut tools = found.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { direct: direct.clone(), agent, tools })
    }
}

impl ToolSource for AgentTools {
    fn list(&self, _principal: &Principal) -> Vec<ToolInfo> {
        self.tools.clone()
    }

    fn call<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        tool: &'a str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> BoxFuture<'a, Result<CallOutcome, SourceError>> {
        async move {
            let outcome = self.direct.call(principal, self.agent, tool, arguments, context, progress).await;
            outcome.map_err(|error| match error {
                DirectCallError::Call(error) => error.into(),
                other => SourceError::Failed(other.to_string().into()),
            })
        }
        .boxed()
    }
}
