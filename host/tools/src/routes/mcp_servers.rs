//! Agents' MCP servers. Only the service role manages them.

use axum::extract::State;
use behalf_contracts::{LeftOutTool, ToolInfo};
use behalf_schema::Unchecked;
use behalf_web::{Administrator, ApiError, Json, Path, ServiceCaller, input};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::state::{Deleted, ToolsState};
use crate::mcp::{McpServerChange, ServerTools};
use crate::store::McpServerRow;

const NO_AGENT: &str = "Agent not found";
const NOT_FOUND: &str = "MCP server not found";

/// A server whose tools an agent may call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct McpServer {
    id: Uuid,
    /// The agent it belongs to.
    agent_id: Uuid,
    /// Its name, unique within the agent; part of its tools' names.
    name: String,
    /// Its address.
    url: String,
    /// `http`: streamable HTTP.
    transport: String,
    /// Static headers.
    #[schema(value_type = Object)]
    headers: Value,
    /// `identity`, `timeout_seconds`, and the operator's overrides for its tools.
    #[schema(value_type = Object)]
    config: Value,
    /// Whether its tools are offered.
    enabled: bool,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

/// An agent's servers, in order of names.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct McpServerList {
    mcp_servers: Vec<McpServer>,
}

/// The fields of a server. `name` and `url` are required to create one; a change keeps the fields that are absent.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct McpServerFields {
    /// 1 to 32 letters, digits, `-` and `_`.
    name: Option<String>,
    /// Its address.
    url: Option<String>,
    /// `http`: streamable HTTP.
    transport: Option<String>,
    /// Static headers, replaced as a whole.
    #[schema(value_type = Option<Object>)]
    headers: Option<Value>,
    /// `identity`, `timeout_seconds`, and overrides for its tools; replaced as a whole.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
    /// Whether its tools are offered; true where absent.
    enabled: Option<bool>,
}

/// A tool that a server offers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct McpServerTool {
    /// Its name for agents.
    name: String,
    /// Its description, for models.
    description: String,
    /// JSON Schema of its arguments.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// `readOnlyHint` and `openWorldHint`.
    #[schema(value_type = Object)]
    annotations: Value,
    /// The parts of its schema that arguments are not checked against: `pointer` and `reason` of each.
    #[schema(value_type = Vec<Object>)]
    unchecked: Vec<Unchecked>,
}

/// The tools that a server offers.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct McpServerToolList {
    tools: Vec<McpServerTool>,
    /// The tools that agents do not get, and why.
    left_out: Vec<LeftOutTool>,
}

/// A tool of a server, without its schema.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct NamedTool {
    /// Its name for agents.
    name: String,
    /// The parts of its schema that arguments are not checked against: `pointer` and `reason` of each.
    #[schema(value_type = Vec<Object>)]
    unchecked: Vec<Unchecked>,
}

/// A server that was created, and what it offers the service role so far.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreatedMcpServer {
    #[serde(flatten)]
    server: McpServer,
    /// Its tools.
    tools: Vec<NamedTool>,
    /// The tools that agents do not get, and why.
    left_out: Vec<LeftOutTool>,
    /// Why it lists no tools so far; it need not run yet.
    tools_error: Option<String>,
}

impl CreatedMcpServer {
    fn new(row: McpServerRow, found: Result<ServerTools, String>) -> Self {
        let (found, tools_error) = match found {
            Ok(found) => (found, None),
            Err(error) => (ServerTools { tools: Vec::new(), left_out: Vec::new() }, Some(error)),
        };
        let tools = found.tools.into_iter().map(|(tool, unchecked)| NamedTool { name: tool.name, unchecked });
        Self { server: row.into(), tools: tools.collect(), left_out: found.left_out, tools_error }
    }
}

impl From<McpServerRow> for McpServer {
    fn from(row: McpServerRow) -> Self {
        Self {
            id: row.id,
            agent_id: row.agent_id,
            name: row.name,
            url: row.url,
            transport: row.transport,
            headers: row.headers,
            config: row.config,
            enabled: row.enabled,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<McpServerFields> for McpServerChange {
    fn from(fields: McpServerFields) -> Self {
        let McpServerFields { name, url, transport, headers, config, enabled } = fields;
        Self { name, url, transport, headers, config, enabled }
    }
}

impl From<(ToolInfo, Vec<Unchecked>)> for McpServerTool {
    fn from((tool, unchecked): (ToolInfo, Vec<Unchecked>)) -> Self {
        Self {
            name: tool.name,
            description: tool.description,
            input_schema: tool.input_schema,
            annotations: tool.annotations,
            unchecked,
        }
    }
}

/// Lists an agent's servers.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}/mcp-servers",
    operation_id = "list_mcp_servers",
    tag = "MCP servers",
    params(("agent" = String, Path, description = "The agent's id")),
    responses((status = 200, description = "The servers", body = McpServerList)),
)]
pub(super) async fn list(
    State(state): State<ToolsState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<McpServerList>, ApiError> {
    let servers = state.tools.mcp_servers.list(&principal, input::id(&agent, NO_AGENT)?).await?;
    Ok(Json(McpServerList { mcp_servers: servers.into_iter().map(McpServer::from).collect() }))
}

/// Gives an agent a server, and asks it for its tools. A server that does not answer yet is kept all the same.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/mcp-servers",
    operation_id = "create_mcp_server",
    tag = "MCP servers",
    params(("agent" = String, Path, description = "The agent's id")),
    request_body = McpServerFields,
    responses((status = 201, description = "The server and what it offers", body = CreatedMcpServer)),
)]
pub(super) async fn create(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path(agent): Path<String>,
    Json(fields): Json<McpServerFields>,
) -> Result<(StatusCode, Json<CreatedMcpServer>), ApiError> {
    let agent = input::id(&agent, NO_AGENT)?;
    let servers = &state.tools.mcp_servers;
    let row = servers.create(&admin.principal, admin.act(), agent, fields.into()).await?;
    let found = servers.first_look(&admin.principal, &row).await;
    Ok((StatusCode::CREATED, Json(CreatedMcpServer::new(row, found))))
}

/// Changes a server.
#[utoipa::path(
    put,
    path = "/api/agents/{agent}/mcp-servers/{server}",
    operation_id = "change_mcp_server",
    tag = "MCP servers",
    params(
        ("agent" = String, Path, description = "The agent's id"),
        ("server" = String, Path, description = "The server's id"),
    ),
    request_body = McpServerFields,
    responses((status = 200, description = "The server", body = McpServer)),
)]
pub(super) async fn change(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path((agent, server)): Path<(String, String)>,
    Json(fields): Json<McpServerFields>,
) -> Result<Json<McpServer>, ApiError> {
    let (agent, server) = (input::id(&agent, NOT_FOUND)?, input::id(&server, NOT_FOUND)?);
    Ok(Json(state.tools.mcp_servers.change(admin.act(), agent, server, fields.into()).await?.into()))
}

/// Deletes a server of an agent.
#[utoipa::path(
    delete,
    path = "/api/agents/{agent}/mcp-servers/{server}",
    operation_id = "delete_mcp_server",
    tag = "MCP servers",
    params(
        ("agent" = String, Path, description = "The agent's id"),
        ("server" = String, Path, description = "The server's id"),
    ),
    responses((status = 200, description = "It is deleted", body = Deleted)),
)]
pub(super) async fn remove(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path((agent, server)): Path<(String, String)>,
) -> Result<Json<Deleted>, ApiError> {
    state.tools.mcp_servers.delete(admin.act(), input::id(&agent, NOT_FOUND)?, input::id(&server, NOT_FOUND)?).await?;
    Ok(Json(Deleted::DONE))
}

/// Asks a server for the tools that it offers the service role now.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}/mcp-servers/{server}/tools",
    operation_id = "list_mcp_server_tools",
    tag = "MCP servers",
    params(
        ("agent" = String, Path, description = "The agent's id"),
        ("server" = String, Path, description = "The server's id"),
    ),
    responses((status = 200, description = "The tools", body = McpServerToolList)),
)]
pub(super) async fn tools(
    State(state): State<ToolsState>,
    ServiceCaller(principal): ServiceCaller,
    Path((agent, server)): Path<(String, String)>,
) -> Result<Json<McpServerToolList>, ApiError> {
    let (agent, server) = (input::id(&agent, NOT_FOUND)?, input::id(&server, NOT_FOUND)?);
    let ServerTools { tools, left_out } = state.tools.mcp_servers.tools(&principal, agent, server).await?;
    Ok(Json(McpServerToolList { tools: tools.into_iter().map(McpServerTool::from).collect(), left_out }))
}
