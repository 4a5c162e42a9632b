//! Asks agents' MCP servers for their tools and calls them, as the caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_contracts::{AgentTool, CallContext, CallOutcome, ToolCallError};
use behalf_identity::{CallSubject, Principal};
use behalf_problem::LogText as _;
use behalf_sandbox::CallError;
use futures::future::join_all;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rmcp::model::CallToolRequestParams;
use serde_json::Value;
use uuid::Uuid;

use super::answer::read_answer;
use super::discovery::list_tools;
use super::server::Server;
use super::session::Session;
use super::tool::McpTool;
use super::wire::{MAX_BYTES, Wire};
use crate::outgoing::{HostHeaders, OutgoingCall, OutgoingCalls, subject};
use crate::store::{McpServerRow, McpServerStore};

/// How long a server's list is kept for one caller. A list that could not be read is kept as an empty one, so that a server that
/// hangs delays one run and not every run.
const FRESH: Duration = Duration::from_secs(30);
/// Lists that are kept, at most.
const MAX_LISTS: usize = 1_000;
/// Values of the schemas of all lists that are kept, and one for each list and tool.
const MAX_KEPT: u64 = 500_000;

/// Identifies a list: the server's row as it was, the caller's actor and subject.
type ListKey = (Uuid, String, String, Option<Uuid>);

/// A list as one server gave it to one caller.
type ToolList = Arc<[Arc<McpTool>]>;

/// Weighs a list by the memory that its schemas take.
#[derive(Clone, Debug)]
struct SchemaSizes;

impl Weighter<ListKey, (Instant, ToolList)> for SchemaSizes {
    fn weight(&self, _key: &ListKey, (_, tools): &(Instant, ToolList)) -> u64 {
        let sizes = tools.iter().map(|tool| u64::try_from(tool.input.size()).unwrap_or(u64::MAX).saturating_add(1));
        sizes.fold(1, u64::saturating_add)
    }
}

/// The client of agents' MCP servers. Clones share one cache of lists.
#[derive(Clone, Debug)]
pub(crate) struct McpClient {
    store: McpServerStore,
    outgoing: OutgoingCalls,
    lists: Arc<Cache<ListKey, (Instant, ToolList), SchemaSizes>>,
}

impl McpClient {
    /// Calls through `outgoing`.
    pub(crate) fn new(store: McpServerStore, outgoing: OutgoingCalls) -> Self {
        Self { store, outgoing, lists: Arc::new(Cache::with_weighter(MAX_LISTS, MAX_KEPT, SchemaSizes)) }
    }

    /// The tools that an agent's servers offer this caller, as agents see them.
    pub(crate) async fn agent_tools(&self, principal: &Principal, agent: Uuid) -> Result<Vec<AgentTool>, sqlx::Error> {
        let offered = self.tools(principal, agent).await?;
        Ok(offered.iter().map(|tool| tool.offered.clone()).collect())
    }

    /// The tool of this name that one of the agent's servers offers this caller.
    pub(crate) async fn tool(
        &self,
        principal: &Principal,
        agent: Uuid,
        name: &str,
    ) -> Result<Arc<McpTool>, ToolCallError> {
        let offered = self.tools(principal, agent).await;
        let offered = offered.map_err(|error| ToolCallError::Unavailable(error.into()))?;
        offered.into_iter().find(|tool| tool.info().name == name).ok_or(ToolCallError::NotFound)
    }

    /// Asks a server for its tools now, as the caller.
    pub(super) async fn ask(
        &self,
        principal: &Principal,
        agent: Uuid,
        server: Server,
    ) -> Result<Vec<Arc<McpTool>>, CallError> {
        let subject = CallSubject { audience: &server.origin, agent: Some(agent), call_id: Uuid::now_v7() };
        let host = self.outgoing.headers(&server.headers, server.identity, principal, subject).await?;
        let outbound = self.outgoing.outbound(super::session::LIST_TIMEOUT, MAX_BYTES);
        list_tools(server, outbound, host).await
    }

    /// Calls a server's tool as the principal: one session with one call, and one audit row.
    pub(crate) async fn call(
        &self,
        principal: &Principal,
        tool: &McpTool,
        arguments: Value,
        context: CallContext,
    ) -> Result<CallOutcome, ToolCallError> {
        let text = arguments.to_string();
        let mut guard = self.outgoing.open(principal, tool.info(), &text, context);
        let arguments = guard.check_arguments(&tool.input, arguments).await?;
        let server = &tool.server;
        let call = subject(&server.origin, &guard);
        let host = self.outgoing.headers(&server.headers, server.identity, principal, call).await;
        guard.hold_credits(self.outgoing.credits.as_deref(), principal).await?;
        let outgoing = OutgoingCall::new(guard, self.outgoing.outbound(server.timeout, MAX_BYTES));
        let host = match host {
            Ok(host) => host,
            Err(error) => return outgoing.finish(Err(error)),
        };
        let wire = Wire::new(outgoing.outbound.clone(), server.uri.clone(), host.headers.clone());
        let work = call_once(&wire, &host, &tool.remote, arguments);
        let result = tokio::time::timeout(server.timeout, work).await;
        let result = result.unwrap_or(Err(CallError::Deadline(server.timeout)));
        outgoing.finish(result.map_err(|error| host.clean(error)))
    }

    /// The tools that an agent's servers offer this caller. A server that does not answer as it should offers none.
    async fn tools(&self, principal: &Principal, agent: Uuid) -> Result<Vec<Arc<McpTool>>, sqlx::Error> {
        let servers = self.store.list(agent).await?;
        let asked =
            servers.into_iter().filter(|server| server.enabled).map(|row| self.cached_list(principal, agent, row));
        let allowed = |tool: &&Arc<McpTool>| {
            principal.delegation().is_none_or(|delegation| delegation.allows_tool(&tool.info().name))
        };
        Ok(join_all(asked).await.iter().flat_map(|tools| tools.iter().filter(allowed).cloned()).collect())
    }

    /// A server's list for this caller, from the cache or from the server.
    async fn cached_list(&self, principal: &Principal, agent: Uuid, row: McpServerRow) -> ToolList {
        let key = (row.id, row.updated_at.clone(), principal.actor(), principal.subject());
        if let Some((at, tools)) = self.lists.get(&key)
            && at.elapsed() < FRESH
        {
            return tools;
        }
        let tools: ToolList = match Server::read(&row) {
            Ok(server) => self.ask(principal, agent, server).await.unwrap_or_else(|error| {
                tracing::warn!(mcp.server = %row.name, agent.id = %agent, error = error.log_text(), "an MCP server's tools are left out");
                Vec::new()
            }),
            Err(error) => {
                tracing::error!(mcp.server = %row.name, agent.id = %agent, error = error.log_text(), "a stored MCP server cannot be used");
                Vec::new()
            }
        }
        .into();
        self.lists.insert(key, (Instant::now(), Arc::clone(&tools)));
        tools
    }
}

/// Calls a tool in a session of its own.
async fn call_once(wire: &Wire, host: &HostHeaders, remote: &str, arguments: Value) -> Result<Value, CallError> {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let call = CallToolRequestParams::new(remote.to_owned()).with_arguments(arguments);
    let session = Session::connect(wire).await?;
    let answered = session.call(wire, call).await;
    session.end().await;
    read_answer(&answered?, host)
}
