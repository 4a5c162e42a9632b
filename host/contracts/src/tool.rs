//! Descriptions of tools for callers and models.

use behalf_sandbox::Effects;
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{Rule, UriTemplate};

/// The place where a tool runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ToolKind {
    /// In the sandbox, as part of a plugin.
    Wasm,
    /// Behind an HTTP address of the operator: a custom tool.
    Http,
    /// On a server that speaks the Model Context Protocol.
    Mcp,
    /// As another agent.
    Agent,
}

/// The description of a tool.
#[derive(Clone, Debug, Serialize)]
pub struct ToolInfo {
    /// The id of its row. Only custom tools have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The place where it runs.
    pub kind: ToolKind,
    /// The name, unique on the host: the tool's own one, or `plugin__tool` where another tool has that.
    pub name: String,
    /// The title, for people.
    pub title: Option<String>,
    /// The description, for models.
    pub description: String,
    /// JSON Schema of the arguments.
    pub input_schema: Value,
    /// JSON Schema of the result.
    pub output_schema: Option<Value>,
    /// `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`; see [`hints`].
    pub annotations: Value,
    /// The resource that clients of MCP read by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<ToolResource>,
    /// Whether clients of MCP offer it as a prompt.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub prompt: bool,
    /// The plugin that it belongs to.
    pub plugin: Option<String>,
    /// The full name of a plugin's tool, `plugin__tool`, by which it is found whatever its name is.
    #[serde(skip)]
    pub full_name: Option<String>,
    /// What a call of it can change.
    #[serde(skip)]
    pub effects: Effects,
}

/// A resource of MCP: what a tool answers is its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolResource {
    /// Its address. Variables are arguments of the tool.
    pub uri: UriTemplate,
    /// Its media type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

/// The hints for clients. What a call can change is what its effects say, not what the tool says of itself. Whether a second
/// call changes nothing more is the tool's own word: nobody is asked less because of it.
pub fn hints(effects: Effects, idempotent: Option<bool>) -> Value {
    let mut hints = json!({
        "readOnlyHint": effects.read_only(),
        "destructiveHint": !effects.read_only(),
        "openWorldHint": effects.open_world(),
    });
    if let (Some(idempotent), Some(hints)) = (idempotent, hints.as_object_mut()) {
        hints.insert("idempotentHint".to_owned(), Value::Bool(idempotent));
    }
    hints
}

/// A tool of an agent's own MCP server, with the operator's settings for it.
#[derive(Clone, Debug)]
pub struct AgentTool {
    /// The tool.
    pub info: ToolInfo,
    /// `never`, `writes` or `always`.
    pub approval: String,
    /// Arguments that the operator forces over the model's; a name that is no parameter of the tool forces nothing.
    pub forced: Map<String, Value>,
    /// Rules that refuse calls.
    pub rules: Vec<Rule>,
}

/// What the agent's own MCP servers offer a caller.
#[derive(Clone, Debug, Default)]
pub struct OfferedTools {
    /// The tools.
    pub tools: Vec<AgentTool>,
    /// Those that cannot be offered.
    pub left_out: Vec<LeftOutTool>,
}

/// A tool that an agent does not get, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LeftOutTool {
    /// Its name for agents; the server's where all of its tools are missing.
    pub name: String,
    /// Why it is left out.
    pub reason: String,
}

impl std::fmt::Display for LeftOutTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}
