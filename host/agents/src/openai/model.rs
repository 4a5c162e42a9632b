//! Agents as models.

use axum::extract::State;
use behalf_identity::Principal;
use behalf_web::{Json, Path, SignedIn};
use chrono::DateTime;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::refusal::{OpenAiError, Refusal};
use crate::state::AgentsState;
use crate::store::{Agent, AgentFilter, AgentSort};

/// Agents of one list; the API knows no pages.
const LISTED: i64 = 1_000;
/// Characters of an agent's name.
const MAX_NAME_CHARS: usize = 255;

/// The agents that the caller may run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ModelList {
    /// `list`.
    object: &'static str,
    /// The agents.
    data: Vec<Model>,
}

/// An agent as a model.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Model {
    /// The agent's id.
    id: Uuid,
    /// `model`.
    object: &'static str,
    /// When it was made, in seconds since 1970.
    created: i64,
    /// `behalf`.
    owned_by: &'static str,
    /// The agent's name.
    name: String,
}

impl From<Agent> for Model {
    fn from(agent: Agent) -> Self {
        let created = DateTime::parse_from_rfc3339(&agent.created_at).map_or(0, |moment| moment.timestamp());
        Self { id: agent.id, object: "model", created, owned_by: "behalf", name: agent.name }
    }
}

/// Lists the agents. Every signed-in caller may run each of them, with the caller's own rights.
#[utoipa::path(
    get,
    path = "/v1/models",
    operation_id = "list_models",
    tag = "OpenAI",
    responses((status = 200, description = "The agents", body = ModelList), (status = "default", description = "A failure.", body = OpenAiError))
)]
pub(super) async fn list(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
) -> Result<Json<ModelList>, Refusal> {
    let (agents, _) = state.agents.store.list(&principal, &filter(None)).await?;
    let data = agents.into_iter().map(|summary| Model::from(summary.agent)).collect();
    Ok(Json(ModelList { object: "list", data }))
}

/// Shows an agent as a model.
#[utoipa::path(
    get,
    path = "/v1/models/{model}",
    operation_id = "show_model",
    tag = "OpenAI",
    params(("model" = String, Path, description = "The agent's id or name.")),
    responses((status = 200, description = "The agent", body = Model), (status = "default", description = "A failure.", body = OpenAiError))
)]
pub(super) async fn show(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(model): Path<String>,
) -> Result<Json<Model>, Refusal> {
    let id = find(&state, &principal, &model).await?;
    let agent = state.agents.store.find(&principal, id).await?.ok_or_else(Refusal::no_model)?;
    Ok(Json(agent.into()))
}

/// The agent of this id, or the only one of this name.
pub(super) async fn find(state: &AgentsState, principal: &Principal, model: &str) -> Result<Uuid, Refusal> {
    if let Ok(id) = Uuid::try_parse(model) {
        return Ok(id);
    }
    // A text that cannot be a name need not be looked for.
    if model.chars().count() > MAX_NAME_CHARS || model.contains('\0') {
        return Err(Refusal::no_model());
    }
    let (agents, _) = state.agents.store.list(principal, &filter(Some(model))).await?;
    let mut named = agents.into_iter().filter(|summary| summary.agent.name == model);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only.agent.id),
        (Some(_), Some(_)) => Err(Refusal::invalid("model", "several agents have this name; send the id of one")),
        (None, _) => Err(Refusal::no_model()),
    }
}

fn filter(q: Option<&str>) -> AgentFilter {
    AgentFilter { q: q.map(str::to_owned), sort: AgentSort::CreatedAt, descending: false, limit: LISTED, offset: 0 }
}
