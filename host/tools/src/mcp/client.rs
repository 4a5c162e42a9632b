//! Asks agents' MCP servers for their tools and calls them, as the caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_contracts::{CallContext, CallOutcome, LeftOutTool, OfferedTools, ToolCallError};
use behalf_identity::{CallSubject, Principal};
use behalf_problem::LogText as _;
use behalf_sandbox::CallError;
use behalf_telemetry::trace;
use futures::future::join_all;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rmcp::model::CallToolRequestParams;
use serde_json::Value;
use uuid::Uuid;

use super::answer::read_answer;
use super::discovery::{Discovered, list_tools};
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
type ToolList = Arc<Discovered>;

/// Weighs a list by the memory that its schemas take.
#[derive(Clone, Debug)]
struct SchemaSizes;

impl Weighter<ListKey, (Instant, ToolList)> for SchemaSizes {
    fn weight(&self, _key: &ListKey, (_, tools): &(Instant, ToolList)) -> u64 {
        let size = |tool: &Arc<McpTool>| u64::try_from(tool.input.size()).unwrap_or(u64::MAX).saturating_add(1);
        let left_out = u64::try_from(tools.left_out.len()).unwrap_or(u64::MAX);
        tools.tools.iter().map(size).fold(left_out.saturating_add(1), u64::saturating_add)
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
    pub(crate) async fn agent_tools(&self, principal: &Principal, agent: Uuid) -> Result<OfferedTools, sqlx::Error> {
        let lists = self.lists(principal, agent).await?;
        let left_out = lists.iter().flat_map(|list| list.left_out.iter().cloned()).collect();
        Ok(OfferedTools { tools: allowed(principal, &lists).map(|tool| tool.offered.clone()).collect(), left_out })
    }

    /// The tool of this name that one of the agent's servers offers this caller.
    pub(crate) async fn tool(
        &self,
        principal: &Principal,
        agent: Uuid,
        name: &str,
    ) -> Result<Arc<McpTool>, ToolCallError> {
        let lists = self.lists(principal, agent).await;
        let lists = lists.map_err(|error| ToolCallError::Unavailable(error.into()))?;
        let found = allowed(principal, &lists).find(|tool| tool.info().name == name).cloned();
        found.ok_or(ToolCallError::NotFound)
    }

    /// Asks a server for its tools now, as the caller.
    pub(super) async fn ask(
        &self,
        principal: &Principal,
        agent: Uuid,
        server: Server,
    ) -> Result<Discovered, CallError> {
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

    /// What an agent's servers offer this caller. A server that does not answer as it should offers nothing.
    async fn lists(&self, principal: &Principal, agent: Uuid) -> Result<Vec<ToolList>, sqlx::Error> {
        let servers = self.store.list(agent).await?;
        let asked =
            servers.into_iter().filter(|server| server.enabled).map(|row| self.cached_list(principal, agent, row));
        Ok(join_all(asked).await)
    }

    /// A server's list for this caller, from the cache or from the server.
    async fn cached_list(&self, principal: &Principal, agent: Uuid, row: McpServerRow) -> ToolList {
        let key = (row.id, row.updated_at.clone(), principal.actor(), principal.subject());
        if let Some((at, tools)) = self.lists.get(&key)
            && at.elapsed() < FRESH
        {
            return tools;
        }
        let nothing = |reason: &str| Discovered {
            tools: Vec::new(),
            left_out: vec![LeftOutTool { name: row.name.clone(), reason: reason.to_owned() }],
        };
        let tools: ToolList = match Server::read(&row) {
            Ok(server) => self.ask(principal, agent, server).await.unwrap_or_else(|error| {
                tracing::warn!(mcp.server = %row.name, agent.id = %agent, error = error.log_text(), "an MCP server's tools are left out");
                nothing("the MCP server does not answer as it should; all of its tools are left out")
            }),
            Err(error) => {
                tracing::error!(mcp.server = %row.name, agent.id = %agent, error = error.log_text(), "a stored MCP server cannot be used");
                nothing("the MCP server's settings cannot be used; all of its tools are left out")
            }
        }
        .into();
        self.lists.insert(key, (Instant::now(), Arc::clone(&tools)));
        tools
    }
}

/// The tools of these lists that the principal may call.
fn allowed<'a>(principal: &'a Principal, lists: &'a [ToolList]) -> impl Iterator<Item = &'a Arc<McpTool>> {
    let is_allowed = move |tool: &&Arc<McpTool>| {
        principal.delegation().is_none_or(|delegation| delegation.allows_tool(&tool.info().name))
    };
    lists.iter().flat_map(|list| list.tools.iter()).filter(is_allowed)
}

/// Calls a tool in a session of its own.
async fn call_once(wire: &Wire, host: &HostHeaders, remote: &str, arguments: Value) -> Result<String, CallError> {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    let mut call = CallToolRequestParams::new(remote.to_owned()).with_arguments(arguments);
    for (name, value) in trace::context() {
        call.meta.get_or_insert_default().insert(name.to_owned(), Value::String(value));
    }
    let session = Session::connect(wire).await?;
    let answered = session.call(wire, call).await;
    session.end().await;
    read_answer(&answered?, host, wire.has_rounded())
}
