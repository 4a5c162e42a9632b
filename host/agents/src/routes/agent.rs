//! Routes of agents.

use axum::extract::State;
use behalf_models::Models;
use behalf_web::{Administrator, ApiError, Json, Page, Path, Query, Routes, ServiceCaller, input, present, routes};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{NO_AGENT, agent_id};
use crate::settings::AgentSettings;
use crate::state::AgentsState;
use crate::store::{Agent, AgentChange, AgentFilter, AgentSort, AgentSummary, NewAgent};

/// Characters of a name.
const MAX_NAME_CHARS: usize = 255;

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list, create)).routes(routes!(show, change, delete))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Rows, at most 100; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// Text that the name contains.
    q: Option<String>,
    /// `created_at`, `name`, `updated_at` or `last_run_at`.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<AgentFilter, ApiError> {
        let sort = match self.sort.as_deref() {
            None | Some("created_at") => AgentSort::CreatedAt,
            Some("name") => AgentSort::Name,
            Some("updated_at") => AgentSort::UpdatedAt,
            Some("last_run_at") => AgentSort::LastRunAt,
            Some(_) => {
                return Err(ApiError::bad_request("sort must be one of created_at, name, updated_at, last_run_at"));
            }
        };
        let descending = match self.order.as_deref() {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(_) => return Err(ApiError::bad_request("order must be asc or desc")),
        };
        let Page { limit, offset } = Page::new(self.limit, self.offset, 50, 100);
        Ok(AgentFilter { q: input::search(self.q, "q")?, sort, descending, limit, offset })
    }
}

/// One page of agents.
#[derive(Debug, Serialize, ToSchema)]
struct AgentList {
    /// The agents of the page.
    agents: Vec<AgentSummary>,
    /// How many agents there are in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// An agent to make.
#[derive(Debug, Deserialize, ToSchema)]
struct CreateAgent {
    /// Its name; not unique.
    #[schema(value_type = String, required = true)]
    name: Option<String>,
    /// The model that it asks, such as `openai/gpt-4o-mini`; the host's default where absent.
    model: Option<String>,
    /// The instructions that its model gets before every conversation.
    system_prompt: Option<String>,
    /// Its settings. Unknown names are kept and ignored.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// An agent that was made.
#[derive(Debug, Serialize, ToSchema)]
struct CreatedAgent {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// The model that it asks.
    model: Option<String>,
    /// Its instructions.
    system_prompt: Option<String>,
    /// Its settings.
    #[schema(value_type = Object)]
    settings: Value,
}

/// Fields of an agent to change; an absent one keeps its value.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(clippy::option_option, reason = "an absent field and null differ")]
struct ChangeAgent {
    /// Its name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// The model that it asks; null for the host's default.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
    /// Its instructions.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    system_prompt: Option<Option<String>>,
    /// Its settings, replaced whole.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    settings: Option<Option<Value>>,
}

/// An agent that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedAgent {
    /// `Agent deleted`.
    message: &'static str,
}

/// Lists agents.
#[utoipa::path(
    get,
    path = "/api/agents",
    operation_id = "list_agents",
    tag = "Agents",
    params(ListQuery),
    responses((status = 200, description = "One page of agents", body = AgentList))
)]
async fn list(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Query(query): Query<ListQuery>,
) -> Result<Json<AgentList>, ApiError> {
    let filter = query.filter()?;
    let (mut agents, total) = state.agents.store.list(&principal, &filter).await?;
    for summary in &mut agents {
        name_model(&mut summary.agent, &state);
    }
    Ok(Json(AgentList { agents, total, limit: filter.limit, offset: filter.offset }))
}

/// Makes an agent.
#[utoipa::path(
    post,
    path = "/api/agents",
    operation_id = "create_agent",
    tag = "Agents",
    request_body = CreateAgent,
    responses((status = 201, description = "The agent", body = CreatedAgent))
)]
async fn create(
    State(state): State<AgentsState>,
    admin: Administrator,
    Json(body): Json<CreateAgent>,
) -> Result<(StatusCode, Json<CreatedAgent>), ApiError> {
    let new = NewAgent {
        name: check_name(body.name)?,
        model: check_model(body.model)?,
        system_prompt: body.system_prompt,
        settings: check_settings(body.settings)?.unwrap_or_else(|| json!({})),
    };
    check_listed(&state, new.model.as_deref()).await?;
    let mut agent = state.agents.store.create(admin.act(), &new).await?;
    name_model(&mut agent, &state);
    let Agent { id, name, model, system_prompt, settings, .. } = agent;
    Ok((StatusCode::CREATED, Json(CreatedAgent { id, name, model, system_prompt, settings })))
}

/// Shows an agent.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}",
    operation_id = "show_agent",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    responses((status = 200, description = "The agent", body = Agent))
)]
async fn show(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<Agent>, ApiError> {
    let found = state.agents.store.find(&principal, agent_id(&agent)?).await?;
    let mut agent = found.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    name_model(&mut agent, &state);
    Ok(Json(agent))
}

/// Changes an agent. The change holds for runs that begin afterwards.
#[utoipa::path(
    patch,
    path = "/api/agents/{agent}",
    operation_id = "change_agent",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    request_body = ChangeAgent,
    responses((status = 200, description = "The agent", body = Agent))
)]
async fn change(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path(agent): Path<String>,
    Json(body): Json<ChangeAgent>,
) -> Result<Json<Agent>, ApiError> {
    let (agent, change) = (agent_id(&agent)?, body.check()?);
    // An agent with keys of its own may have its models elsewhere.
    if state.agents.provider_keys.list(&admin.principal, agent).await?.is_empty() {
        check_listed(&state, change.model.as_ref().and_then(|model| model.as_deref())).await?;
    }
    let changed = state.agents.store.change(admin.act(), agent, &change).await?;
    let mut agent = changed.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    name_model(&mut agent, &state);
    Ok(Json(agent))
}

/// Deletes an agent with its sessions. Deleting it again is no mistake and has the same answer.
#[utoipa::path(
    delete,
    path = "/api/agents/{agent}",
    operation_id = "delete_agent",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    responses((status = 200, description = "There is no such agent any more", body = DeletedAgent))
)]
async fn delete(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path(agent): Path<String>,
) -> Result<Json<DeletedAgent>, ApiError> {
    if let Ok(agent) = agent_id(&agent) {
        state.agents.store.delete(admin.act(), agent).await?;
    }
    Ok(Json(DeletedAgent { message: "Agent deleted" }))
}

impl ChangeAgent {
    fn check(self) -> Result<AgentChange, ApiError> {
        let Self { name, model, system_prompt, settings } = self;
        if name.is_none() && model.is_none() && system_prompt.is_none() && settings.is_none() {
            return Err(ApiError::bad_request("No valid fields to update"));
        }
        Ok(AgentChange {
            name: name.map(check_name).transpose()?,
            model: model.map(check_model).transpose()?,
            system_prompt,
            settings: check_settings(settings.flatten())?,
        })
    }
}

/// Clients expect the name of a model; where the agent has none it is the host's default.
fn name_model(agent: &mut Agent, state: &AgentsState) {
    agent.model.get_or_insert_with(|| state.agents.default_model().to_owned());
}

fn check_name(name: Option<String>) -> Result<String, ApiError> {
    match name.filter(|name| !name.trim().is_empty()) {
        None => Err(ApiError::bad_request("Name is required")),
        Some(name) if name.chars().count() > MAX_NAME_CHARS => {
            Err(ApiError::bad_request(format!("name may have at most {MAX_NAME_CHARS} characters")))
        }
        Some(name) => Ok(name),
    }
}

fn check_model(model: Option<String>) -> Result<Option<String>, ApiError> {
    let model = model.filter(|model| !model.is_empty());
    if let Some(model) = &model {
        Models::check_name(model).map_err(|error| ApiError::bad_request(format!("model: {error}")))?;
    }
    Ok(model)
}

/// Refuses a model that the host's endpoint does not list, where it lists any.
async fn check_listed(state: &AgentsState, model: Option<&str>) -> Result<(), ApiError> {
    let Some(model) = model else { return Ok(()) };
    let checked = state.agents.environment.models.check_listed(model).await;
    checked.map_err(|error| {
        ApiError::bad_request(format!(
            "model: {error}; a model of another endpoint needs a provider key of the agent's first"
        ))
    })
}

fn check_settings(settings: Option<Value>) -> Result<Option<Value>, ApiError> {
    if let Some(settings) = &settings {
        AgentSettings::check(settings).map_err(ApiError::bad_request)?;
    }
    Ok(settings)
}
