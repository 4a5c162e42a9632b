//! Asks an MCP server for its tools, and keeps those that can be offered to a model.

use std::collections::HashSet;
use std::sync::Arc;

use behalf_contracts::{AgentTool, LeftOutTool, ToolInfo, ToolKind, hints};
use behalf_problem::Private;
use behalf_sandbox::{CallError, Effects, Outbound};
use behalf_schema::{Schema, as_object_schema, prepare};
use behalf_telemetry::terminal::{self, Shown};
use rmcp::model::{PaginatedRequestParams, Tool};
use serde_json::Value;

use super::name::tool_name;
use super::server::Server;
use super::session::{LIST_TIMEOUT, Session};
use super::tool::McpTool;
use super::wire::Wire;
use crate::call_failure::failed;
use crate::cut::cut;
use crate::outgoing::HostHeaders;

/// Tools of one server; a model reads all of them with every message.
const MAX_TOOLS: usize = 128;
/// Pages of one list.
const MAX_PAGES: usize = 16;
/// Characters of a description. The model reads a server's description as if the operator had written it.
const MAX_DESCRIPTION: usize = 1_024;
/// Bytes of a schema.
const MAX_SCHEMA: usize = 32 * 1024;
/// Characters of a server's own name for a tool.
const MAX_REMOTE: usize = 256;

/// Values of the schemas of one server's tools, with every reference replaced.
const MAX_SCHEMA_VALUES: usize = 40_000;

/// Characters of the reason why a tool is left out.
const MAX_REASON: usize = 300;

/// What a server offers.
#[derive(Debug, Default)]
pub(super) struct Discovered {
    /// The tools that can be offered to a model.
    pub(super) tools: Vec<Arc<McpTool>>,
    /// The others, and why.
    pub(super) left_out: Vec<LeftOutTool>,
}

/// Asks a server for its tools. They are read off the threads that serve requests, because a schema may be expensive to prepare.
pub(super) async fn list_tools(server: Server, outbound: Outbound, host: HostHeaders) -> Result<Discovered, CallError> {
    let wire = Wire::new(outbound, server.uri.clone(), host.headers);
    let listed = tokio::time::timeout(LIST_TIMEOUT, list(&wire)).await;
    let tools = listed.unwrap_or(Err(CallError::Deadline(LIST_TIMEOUT)))?;
    let read = prepare(move || read_tools(&server, tools)).await;
    read.map_err(|busy| failed("busy", busy.to_string(), true))
}

/// Reads the pages of a server's list.
async fn list(wire: &Wire) -> Result<Vec<Tool>, CallError> {
    let session = Session::connect(wire).await?;
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

/// Reads the tools of a list: those that can be offered to a model, and the others.
fn read_tools(server: &Server, tools: Vec<Tool>) -> Discovered {
    let (mut seen, mut values, mut found) = (HashSet::new(), 0, Discovered::default());
    for (place, tool) in tools.into_iter().enumerate() {
        if found.left_out.len() >= MAX_TOOLS {
            break;
        }
        let name = tool_name(&server.name, &tool.name);
        let read = if place >= MAX_TOOLS {
            Err(("its server has more tools than are offered", None))
        } else if values > MAX_SCHEMA_VALUES {
            Err(("the schemas before it are too large together", None))
        } else {
            read_tool(server, tool, name.clone())
        };
        match read {
            Ok(tool) if seen.insert(name.clone()) => {
                values += tool.input.size();
                found.tools.push(Arc::new(tool));
            }
            Ok(_) => found.left_out.push(left_out(server, name, ("its name is there twice", None))),
            Err(unfit) => found.left_out.push(left_out(server, name, unfit)),
        }
    }
    found
}

/// A tool that is left out.
fn left_out(server: &Server, name: String, (reason, text): Unfit) -> LeftOutTool {
    tracing::warn!(mcp.server = %server.name, reason, "a tool of an MCP server is left out");
    // The tool's name and what is wrong with its schema are the server's words.
    let reason = match text {
        Some(text) => {
            terminal::text_of_tool(Shown::Servers, &name, reason, &text);
            cut(&format!("{reason}: {}", text.for_caller()), MAX_REASON)
        }
        None => reason.to_owned(),
    };
    LeftOutTool { name, reason }
}

/// Why a tool is left out, and the text that says more.
type Unfit = (&'static str, Option<Private>);

/// Reads one tool, or says why it is left out.
fn read_tool(server: &Server, tool: Tool, name: String) -> Result<McpTool, Unfit> {
    let unfit = |reason| move |text: String| (reason, Some(Private::from(text)));
    if tool.name.chars().count() > MAX_REMOTE {
        return Err(("its name is too long", None));
    }
    let schema = Value::Object((*tool.input_schema).clone());
    if schema.to_string().len() > MAX_SCHEMA {
        return Err(("its schema is too large", None));
    }
    let input_schema =
        as_object_schema(&schema).map_err(|error| unfit("its schema cannot be used")(error.to_string()))?;
    let input = Schema::new(&input_schema).map_err(|error| unfit("its schema cannot be used")(error.to_string()))?;
    let overrides =
        server.overrides(&tool.name).map_err(|error| unfit("its overrides cannot be used")(error.to_string()))?;
    // A server's word alone counts for nothing: the operator has to say that it may be believed.
    let says_so = tool.annotations.unwrap_or_default().read_only_hint == Some(true);
    let effects = Effects::elsewhere(says_so && overrides.read_only_declared);
    let info = ToolInfo {
        id: None,
        kind: ToolKind::Mcp,
        name,
        title: None,
        description: description(tool.description.as_deref().unwrap_or_default(), &tool.name),
        input_schema,
        output_schema: None,
        annotations: hints(effects, None),
        resource: None,
        prompt: false,
        plugin: None,
        full_name: None,
        effects,
    };
    let offered =
        AgentTool { info, approval: overrides.approval, forced: overrides.forced_arguments, rules: overrides.rules };
    Ok(McpTool { offered, remote: tool.name.into_owned(), input, server: server.clone() })
}

/// A server's description of a tool, without control characters. The tool's name where there is none.
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
