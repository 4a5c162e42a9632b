//! Servers whose tools an agent may call. All of it is for operators.

use axum::extract::State;
use http::StatusCode;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Json, Path, ServiceCaller};
use super::input::{fields, id, text};
use super::routes::Routes;
use super::state::AppState;
use crate::db::McpServerRow;
use crate::identity::Principal;
use crate::tools::{McpServerChange, McpServerError};

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/agents/{agent}/mcp-servers", list)
        .post("/api/agents/{agent}/mcp-servers", create)
        .put("/api/agents/{agent}/mcp-servers/{server}", change)
        .delete("/api/agents/{agent}/mcp-servers/{server}", remove)
        .get("/api/agents/{agent}/mcp-servers/{server}/tools", tools)
}

const MISSING: &str = "MCP server not found";

async fn known_agent(state: &AppState, principal: &Principal, agent: &str) -> Result<Uuid, ApiError> {
    let agent = id(agent, "Agent not found")?;
    state.db.agent(principal, agent).await?.ok_or(ApiError::NotFound("Agent not found"))?;
    Ok(agent)
}

async fn list(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let agent = known_agent(&state, &principal, &agent).await?;
    Ok(Json(json!({ "mcp_servers": state.tools.mcp_servers(agent).await? })))
}

async fn create(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<McpServerRow>), ApiError> {
    let agent = known_agent(&state, &principal, &agent).await?;
    let made = state.tools.create_mcp_server(agent, read_change(&fields(body)?)?).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

async fn change(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path((agent, server)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Json<McpServerRow>, ApiError> {
    let (agent, server) = (id(&agent, MISSING)?, id(&server, MISSING)?);
    Ok(Json(state.tools.change_mcp_server(agent, server, read_change(&fields(body)?)?).await?))
}

async fn remove(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path((agent, server)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    state.tools.delete_mcp_server(id(&agent, MISSING)?, id(&server, MISSING)?).await?;
    Ok(Json(json!({ "deleted": true })))
}

/// What the server offers the service role now.
async fn tools(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path((agent, server)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let (agent, server) = (id(&agent, MISSING)?, id(&server, MISSING)?);
    let tools = state.tools.mcp_server_tools(&principal, agent, server).await?;
    let one = |tool: &crate::tools::ToolInfo| {
        json!({
            "name": tool.name, "description": tool.description, "input_schema": tool.input_schema,
            "annotations": tool.annotations,
        })
    };
    Ok(Json(json!({ "tools": tools.iter().map(one).collect::<Vec<_>>() })))
}

fn read_change(fields: &Map<String, Value>) -> Result<McpServerChange, ApiError> {
    let json = |name: &str| fields.get(name).filter(|value| !value.is_null()).cloned();
    let enabled = match json("enabled") {
        None => None,
        Some(Value::Bool(enabled)) => Some(enabled),
        Some(_) => return Err(ApiError::BadRequest("enabled must be true or false".to_owned())),
    };
    Ok(McpServerChange {
        name: text(fields, "name")?,
        url: text(fields, "url")?,
        transport: text(fields, "transport")?,
        headers: json("headers"),
        config: json("config"),
        enabled,
    })
}

impl From<McpServerError> for ApiError {
    fn from(error: McpServerError) -> Self {
        match error {
            McpServerError::NotFound => Self::NotFound(MISSING),
            McpServerError::Taken => Self::Conflict(error.to_string()),
            McpServerError::Upstream(text) => Self::Upstream(text),
            McpServerError::Database(error) => error.into(),
            _ => Self::BadRequest(error.to_string()),
        }
    }
}
