//! Routes of agents' knowledge bases.

use axum::extract::State;
use behalf_problem::Kind;
use behalf_web::{Administrator, ApiError, Json, Path, Routes, ServiceCaller, input, routes};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{NO_AGENT, agent_id, uuid_field};
use crate::knowledge::SearchConfig;
use crate::state::AgentsState;
use crate::store::{AgentBase, NotGiven};

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list, assign)).routes(routes!(unassign))
}

/// The knowledge bases of an agent.
#[derive(Debug, Serialize, ToSchema)]
struct AgentBases {
    /// Oldest assignment first.
    knowledge_bases: Vec<AgentBase>,
}

/// A knowledge base to give to an agent.
#[derive(Debug, Deserialize, ToSchema)]
struct AssignBase {
    /// The base.
    #[schema(value_type = Uuid, required = true)]
    knowledge_base_id: Option<String>,
    /// `top_k`, `retrieval_method` and `max_context_tokens` of this agent's searches; those of the base where absent.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
}

/// An assignment that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedBase {
    /// Always true.
    deleted: bool,
}

/// Lists the knowledge bases of an agent.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}/knowledge-bases",
    operation_id = "list_agent_knowledge_bases",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    responses((status = 200, description = "The knowledge bases", body = AgentBases))
)]
async fn list(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<AgentBases>, ApiError> {
    let agent = agent_id(&agent)?;
    state.agents.store.find(&principal, agent).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    Ok(Json(AgentBases { knowledge_bases: state.agents.bases.list(&principal, agent).await? }))
}

/// Gives a knowledge base to an agent. Its runs then search it, each as its caller.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/knowledge-bases",
    operation_id = "assign_knowledge_base",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    request_body = AssignBase,
    responses((status = 201, description = "The assignment", body = AgentBase))
)]
async fn assign(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path(agent): Path<String>,
    Json(body): Json<AssignBase>,
) -> Result<(StatusCode, Json<AgentBase>), ApiError> {
    let agent = agent_id(&agent)?;
    state.agents.store.find(&admin.principal, agent).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    let base = uuid_field(body.knowledge_base_id, "knowledge_base_id")?;
    let base = base.ok_or_else(|| ApiError::bad_request("knowledge_base_id is required"))?;
    let config = body.config.filter(|config| !config.is_null()).unwrap_or_else(|| json!({}));
    let fields = config.as_object().ok_or_else(|| ApiError::bad_request("config must be a JSON object"))?;
    SearchConfig::read(fields).map_err(|fault| ApiError::bad_request(format!("config: {fault}")))?;
    let made = state.agents.bases.create(admin.act(), agent, base, &config).await?;
    let made = made.map_err(|not_given| match not_given {
        NotGiven::Taken => ApiError::new(Kind::Conflict, "KB already assigned to this agent"),
        NotGiven::NoBase => ApiError::not_found("Knowledge base not found"),
    })?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Takes a knowledge base from an agent.
#[utoipa::path(
    delete,
    path = "/api/agents/{agent}/knowledge-bases/{assignment}",
    operation_id = "delete_agent_knowledge_base",
    tag = "Agents",
    params(
        ("agent" = Uuid, Path, description = "The agent's id."),
        ("assignment" = Uuid, Path, description = "The assignment's id.")
    ),
    responses((status = 200, description = "It is deleted", body = DeletedBase))
)]
async fn unassign(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path((agent, assignment)): Path<(String, String)>,
) -> Result<Json<DeletedBase>, ApiError> {
    let missing = "Assignment not found";
    let (agent, assignment) = (input::id(&agent, missing)?, input::id(&assignment, missing)?);
    if !state.agents.bases.delete(admin.act(), agent, assignment).await? {
        return Err(ApiError::not_found(missing));
    }
    Ok(Json(DeletedBase { deleted: true }))
}
