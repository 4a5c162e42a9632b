use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use quick_cache::sync::Cache;
use rmcp::model::{PaginatedRequestParams, Tool};
use serde_json::{Value, json};
use uuid::Uuid;

use super::McpTool;
use super::answer::cut;
use super::call::{Session, connect};
use super::name::{is_new, tool_name};
use super::server::Server;
use super::wire::{MAX_BYTES, Wire};
use crate::identity::{CallSubject, Principal};
use crate::sandbox::CallError;
use crate::tools::custom::as_object_schema;
use crate::tools::definition::{ToolInfo, ToolKind};
use crate::tools::outgoing::failed;
use crate::tools::registry::Tools;
use crate::tools::schema::Schema;

/// How long a server's list is kept for one caller, also when there was none: a server that hangs holds up one run, not
/// every run.
const FRESH: Duration = Duration::from_secs(30);
/// How long a server may take to say what it has; the platform's bound.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// Lists that are kept.
const KEPT: usize = 1_000;
/// Tools of one server; a model reads all of them with every message.
const MAX_TOOLS: usize = 128;
/// Pages of one list.
const MAX_PAGES: usize = 16;
/// Characters of a description: a server's words are read by the model as if they were the operator's.
const MAX_DESCRIPTION: usize = 1_024;
/// Bytes of a schema.
const MAX_SCHEMA: usize = 32 * 1024;
/// Characters of a server's own name for a tool.
const MAX_REMOTE: usize = 256;

/// Whom a list was for: the server as it was then, and the caller.
type Key = (Uuid, String, String, Option<Uuid>);

/// A list as one server gave it.
type Offered = Arc<[Arc<McpTool>]>;

/// Lists that servers gave lately.
#[derive(Debug)]
pub(in crate::tools) struct Discovered(Cache<Key, (Instant, Offered)>);

impl Default for Discovered {
    fn default() -> Self {
        Self(Cache::new(KEPT))
    }
}

impl Tools {
    /// The tools that an agent's servers offer this caller. A server that does not answer as it should offers none.
    pub async fn mcp_tools(&self, principal: &Principal, agent: Uuid) -> Result<Vec<Arc<McpTool>>, sqlx::Error> {
        let servers = self.db.mcp_servers(agent).await?;
        let asked = servers.into_iter().filter(|server| server.enabled).map(async |row| {
            let key = (row.id, row.updated_at.clone(), principal.actor(), principal.subject());
            if let Some((at, tools)) = self.discovered.0.get(&key)
                && at.elapsed() < FRESH
            {
                return tools;
            }
            let tools: Offered = match Server::read(&row) {
                Ok(server) => self.ask_for_tools(principal, agent, server).await.unwrap_or_else(|error| {
                    tracing::warn!(mcp.server = %row.name, agent.id = %agent, error = %error, "an MCP server's tools are left out");
                    Vec::new()
                }),
                Err(error) => {
                    tracing::error!(mcp.server = %row.name, agent.id = %agent, error = %error, "a stored MCP server cannot be used");
                    Vec::new()
                }
            }
            .into();
            self.discovered.0.insert(key, (Instant::now(), Arc::clone(&tools)));
            tools
        });
        let allowed = |tool: &&Arc<McpTool>| {
            principal.delegation().is_none_or(|delegation| delegation.allows_tool(&tool.info.name))
        };
        Ok(join_all(asked).await.iter().flat_map(|tools| tools.iter().filter(allowed).cloned()).collect())
    }

    /// Asks one server, as the caller.
    pub(super) async fn ask_for_tools(
        &self,
        principal: &Principal,
        agent: Uuid,
        server: Server,
    ) -> Result<Vec<Arc<McpTool>>, CallError> {
        let subject = CallSubject { audience: &server.origin, agent: Some(agent), call_id: Uuid::now_v7() };
        let own = self.own_headers(&server.headers, server.identity, principal, subject)?;
        let outbound = self.sandbox.outbound(Instant::now() + PATIENCE, MAX_BYTES);
        let wire = Wire::new(outbound, server.uri.clone(), own.headers.clone());
        let listed = tokio::time::timeout(PATIENCE, list(&wire)).await;
        let tools = listed.unwrap_or(Err(CallError::Deadline(PATIENCE)))?;
        // A stranger's schemas may cost something to prepare.
        let read = tokio::task::spawn_blocking(move || read_tools(&server, tools)).await;
        read.map_err(|_| failed("mcp_protocol", "the MCP server's tools cannot be read", false))
    }
}

async fn list(wire: &Wire) -> Result<Vec<Tool>, CallError> {
    let session: Session = connect(wire).await?;
    let (mut tools, mut cursor) = (Vec::new(), None);
    for _ in 0..MAX_PAGES {
        let page = session.list(wire, PaginatedRequestParams::default().with_cursor(cursor)).await?;
        tools.extend(page.tools);
        cursor = page.next_cursor;
        if cursor.is_none() || tools.len() > MAX_TOOLS {
            break;
        }
    }
    session.end().await;
    Ok(tools)
}

/// Those that can be offered to a model.
fn read_tools(server: &Server, tools: Vec<Tool>) -> Vec<Arc<McpTool>> {
    if tools.len() > MAX_TOOLS {
        tracing::warn!(mcp.server = %server.name, tools = tools.len(), "an MCP server has too many tools; the first {MAX_TOOLS} are offered");
    }
    let mut seen = HashSet::new();
    let read = |tool: Tool| {
        let name = tool_name(&server.name, &tool.name);
        let reason = match read_tool(server, tool, name.clone()) {
            Ok(tool) if is_new(&mut seen, &name) => return Some(Arc::new(tool)),
            Ok(_) => "its name is there twice".to_owned(),
            Err(reason) => reason,
        };
        tracing::warn!(mcp.server = %server.name, tool.name = %name, reason, "a tool of an MCP server is left out");
        None
    };
    tools.into_iter().take(MAX_TOOLS).filter_map(read).collect()
}

fn read_tool(server: &Server, tool: Tool, name: String) -> Result<McpTool, String> {
    if tool.name.chars().count() > MAX_REMOTE {
        return Err("its name is too long".to_owned());
    }
    let schema = Value::Object((*tool.input_schema).clone());
    if schema.to_string().len() > MAX_SCHEMA {
        return Err("its schema is too large".to_owned());
    }
    let input_schema = as_object_schema(&schema).map_err(|error| error.to_string())?;
    let input = Schema::new(&input_schema).map_err(|error| error.to_string())?;
    let hints = tool.annotations.unwrap_or_default();
    let read_only = hints.read_only_hint == Some(true);
    let info = ToolInfo {
        id: None,
        kind: ToolKind::Mcp,
        name,
        title: None,
        description: description(tool.description.as_deref().unwrap_or_default(), &tool.name),
        input_schema,
        output_schema: None,
        annotations: json!({ "readOnlyHint": read_only, "openWorldHint": true }),
        read_only,
        plugin: None,
        reaches_out: true,
    };
    Ok(McpTool { info, say: server.say(&tool.name), remote: tool.name.into_owned(), input, server: server.clone() })
}

/// A server's words about a tool, without what could look like something else than words.
fn description(text: &str, name: &str) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    let text: String = text.chars().map(plain).collect();
    let text = cut(text.trim(), MAX_DESCRIPTION);
    if text.is_empty() { cut(&name.replace(char::is_control, " "), MAX_DESCRIPTION) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_words_and_has_an_end() {
        assert_eq!(description("a\u{1b}[2Jb\nc", "x"), "a [2Jb\nc");
        assert_eq!(description(&"y".repeat(100_000), "x").len(), MAX_DESCRIPTION);
        assert_eq!(description("  ", "na\nme"), "na me");
    }
}
