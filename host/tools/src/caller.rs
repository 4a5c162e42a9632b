//! Calls a tool by its name, whatever kind it is.

use std::sync::Arc;

use behalf_contracts::{CallContext, CallOutcome, OfferedTools, ToolCallError, ToolInfo, ToolInvoker};
use behalf_identity::Principal;
use behalf_mcp::{SourceError, ToolSource};
use behalf_problem::LogText as _;
use behalf_sandbox::Report;
use behalf_telemetry::trace;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::mpsc;
use tracing::Instrument as _;
use uuid::Uuid;

use crate::call::PluginCaller;
use crate::custom::CustomToolCaller;
use crate::definition::MCP_PREFIX;
use crate::mcp::McpClient;
use crate::registry::ToolRegistry;

/// Calls tools by name: those of plugins, custom tools, and tools of agents' MCP servers. Implements [`ToolInvoker`] for agents and
/// [`ToolSource`] for the Model Context Protocol.
#[derive(Clone, Debug)]
pub struct ToolCaller {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: ToolRegistry,
    plugins: PluginCaller,
    custom: CustomToolCaller,
    mcp: McpClient,
}

impl ToolCaller {
    /// Puts the parts together.
    pub(crate) fn new(registry: ToolRegistry, plugins: PluginCaller, custom: CustomToolCaller, mcp: McpClient) -> Self {
        Self { shared: Arc::new(Shared { registry, plugins, custom, mcp }) }
    }

    /// Calls a tool as the principal; a tool of an MCP server where the agent of `context` has that server. Dropping the future
    /// ends the guest and rolls back, unless its commit is under way.
    pub async fn call(
        &self,
        principal: &Arc<Principal>,
        tool: &str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> Result<CallOutcome, ToolCallError> {
        let span = tracing::info_span!(target: trace::TARGET, "execute_tool");
        self.call_in_span(principal, tool, arguments, context, progress).instrument(span).await
    }

    async fn call_in_span(
        &self,
        principal: &Arc<Principal>,
        tool: &str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> Result<CallOutcome, ToolCallError> {
        let Shared { registry, plugins, custom, mcp } = &*self.shared;
        // A delegated run is offered allowed tools alone; this check holds wherever a call comes from.
        if principal.delegation().is_some_and(|delegation| !delegation.allows_tool(tool)) {
            return Err(ToolCallError::NotFound);
        }
        if tool.starts_with(MCP_PREFIX)
            && let Some(agent) = context.agent_id
        {
            // Boxed, like the next one: every call would carry their room.
            let tool = Box::pin(mcp.tool(principal, agent, tool)).await?;
            return Box::pin(mcp.call(principal, &tool, arguments, context)).await;
        }
        if let Some(tool) = registry.custom_tool(tool) {
            return Box::pin(custom.call(&tool, principal, arguments, context)).await;
        }
        let tool = registry.plugin_tool(tool).ok_or(ToolCallError::NotFound)?;
        plugins.call(tool, principal, arguments, context, progress).await
    }

    /// Compiles and links every enabled plugin, so that few first calls have to wait for it.
    pub fn warm_up(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            for plugin in self.shared.registry.served_plugins() {
                if let Err(error) = self.shared.plugins.runtime.linked(&plugin).await {
                    tracing::error!(plugin.name = %plugin.row.name, error = error.log_text(), "cannot load a plugin");
                }
            }
        })
    }
}

impl ToolInvoker for ToolCaller {
    fn get(&self, name: &str) -> Option<ToolInfo> {
        self.shared.registry.get(name)
    }

    fn list(&self) -> Vec<ToolInfo> {
        self.shared.registry.list()
    }

    fn agent_tools<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        agent: Uuid,
    ) -> BoxFuture<'a, Result<OfferedTools, sqlx::Error>> {
        Box::pin(self.shared.mcp.agent_tools(principal, agent))
    }

    fn call<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        tool: &'a str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> BoxFuture<'a, Result<CallOutcome, ToolCallError>> {
        Box::pin(Self::call(self, principal, tool, arguments, context, progress))
    }
}

impl ToolSource for ToolCaller {
    fn list(&self, _principal: &Principal) -> Vec<ToolInfo> {
        self.shared.registry.list()
    }

    fn get(&self, _principal: &Principal, name: &str) -> Option<ToolInfo> {
        self.shared.registry.get(name)
    }

    fn call<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        tool: &'a str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Report>>,
    ) -> BoxFuture<'a, Result<CallOutcome, SourceError>> {
        Box::pin(async move { Ok(Self::call(self, principal, tool, arguments, context, progress).await?) })
    }
}
