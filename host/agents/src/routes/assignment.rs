//! Routes of the tools that agents were given.

use axum::extract::State;
use behalf_web::{Administrator, ApiError, Json, Path, Routes, ServiceCaller, input, routes};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{NO_AGENT, agent_id, uuid_field};
use crate::assignment::NewAssignment;
use crate::state::AgentsState;
use crate::store::{Assignment, AssignmentChange};

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list, assign)).routes(routes!(change, unassign))
}

/// The tools of an agent.
#[derive(Debug, Serialize, ToSchema)]
struct AssignmentList {
    /// Oldest first.
    tools: Vec<Assignment>,
}

/// A tool to give to an agent.
#[derive(Debug, Deserialize, ToSchema)]
struct AssignTool {
    /// `builtin`, `wasm`, `custom` or `agent`; `builtin` or `custom` where absent, by the tool's name.
    tool_type: Option<String>,
    /// The tool's name; for `agent` the name that the model calls the other agent by.
    #[schema(value_type = String, required = true)]
    tool_name: Option<String>,
    /// The custom tool's id, or the id of the other agent.
    #[schema(value_type = Option<Uuid>)]
    tool_id: Option<String>,
    /// Arguments that are forced over the model's, and deny rules under `rules`.
    #[schema(value_type = Option<Object>)]
    config_override: Option<Value>,
    /// Whether somebody has to agree to a call: `never`, `writes` or `always`.
    approval: Option<String>,
}

/// A tool that was given to an agent.
#[derive(Debug, Serialize, ToSchema)]
struct AssignedTool {
    /// The assignment's id.
    id: Uuid,
    /// The tool's name.
    tool_name: String,
}

/// Fields of an assignment to change; other fields are ignored, as on the platform.
#[derive(Debug, Deserialize, ToSchema)]
struct ChangeAssignment {
    /// Arguments that are forced over the model's, and deny rules under `rules`.
    #[schema(value_type = Option<Object>)]
    config_override: Option<Value>,
    /// Whether somebody has to agree to a call: `never`, `writes` or `always`.
    approval: Option<String>,
}

/// An assignment that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedAssignment {
    /// Always true.
    deleted: bool,
}

/// Lists the tools of an agent.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}/tools",
    operation_id = "list_agent_tools",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    responses((status = 200, description = "The tools", body = AssignmentList))
)]
async fn list(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<AssignmentList>, ApiError> {
    let agent = agent_id(&agent)?;
    state.agents.store.find(&principal, agent).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    Ok(Json(AssignmentList { tools: state.agents.assignments.of_agent(&principal, agent).await? }))
}

/// Gives a tool to an agent.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/tools",
    operation_id = "assign_tool",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    request_body = AssignTool,
    responses((status = 201, description = "The assignment", body = AssignedTool))
)]
async fn assign(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path(agent): Path<String>,
    Json(body): Json<AssignTool>,
) -> Result<(StatusCode, Json<AssignedTool>), ApiError> {
    let agent = agent_id(&agent)?;
    state.agents.store.find(&admin.principal, agent).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    let new = NewAssignment {
        tool_type: body.tool_type,
        tool_name: body.tool_name,
        tool_id: uuid_field(body.tool_id, "tool_id")?,
        config_override: body.config_override,
        approval: body.approval,
    };
    let Assignment { id, tool_name, .. } =
        state.agents.assigner.assign(&admin.principal, admin.act(), agent, new).await?;
    Ok((StatusCode::CREATED, Json(AssignedTool { id, tool_name })))
}

/// Changes what is forced, forbidden and asked about when an agent calls a tool.
#[utoipa::path(
    patch,
    path = "/api/agents/{agent}/tools/{assignment}",
    operation_id = "change_assignment",
    tag = "Agents",
    params(
        ("agent" = Uuid, Path, description = "The agent's id."),
        ("assignment" = Uuid, Path, description = "The assignment's id.")
    ),
    request_body = ChangeAssignment,
    responses((status = 200, description = "The assignment", body = Assignment))
)]
async fn change(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path((agent, assignment)): Path<(String, String)>,
    Json(body): Json<ChangeAssignment>,
) -> Result<Json<Assignment>, ApiError> {
    let missing = "Tool assignment not found";
    let (agent, assignment) = (input::id(&agent, missing)?, input::id(&assignment, missing)?);
    let change = AssignmentChange { config_override: body.config_override, approval: body.approval };
    Ok(Json(state.agents.assigner.change(&admin.principal, admin.act(), agent, assignment, change).await?))
}

/// Takes a tool from an agent.
#[utoipa::path(
    delete,
    path = "/api/agents/{agent}/tools/{assignment}",
    operation_id = "delete_assignment",
    tag = "Agents",
    params(
        ("agent" = Uuid, Path, description = "The agent's id."),
        ("assignment" = Uuid, Path, description = "The assignment's id.")
    ),
    responses((status = 200, description = "It is deleted", body = DeletedAssignment))
)]
async fn unassign(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path((agent, assignment)): Path<(String, String)>,
) -> Result<Json<DeletedAssignment>, ApiError> {
    let missing = "Assignment not found";
    let (agent, assignment) = (input::id(&agent, missing)?, input::id(&assignment, missing)?);
    if !state.agents.assignments.delete(admin.act(), agent, assignment).await? {
        return Err(ApiError::not_found(missing));
    }
    Ok(Json(DeletedAssignment { deleted: true }))
}
