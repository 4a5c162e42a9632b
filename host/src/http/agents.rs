use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::extract::{Json, Path, Query, ServiceCaller};
use super::input;
use super::routes::Routes;
use super::state::AppState;
use crate::agents::{AgentSettings, Assign, AssignError};
use crate::db::{AgentChange, AgentFilter, AgentRow, AgentSort, AssignmentChange, NewAgent};
use crate::models::Models;

const NO_AGENT: &str = "Agent not found";

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/agents", list)
        .post("/api/agents", create)
        .get("/api/agents/{agent}", show)
        .patch("/api/agents/{agent}", change)
        .delete("/api/agents/{agent}", delete)
        .get("/api/agents/{agent}/tools", tools)
        .post("/api/agents/{agent}/tools", assign)
        .patch("/api/agents/{agent}/tools/{assignment}", change_assignment)
        .delete("/api/agents/{agent}/tools/{assignment}", unassign)
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<i64>,
    offset: Option<i64>,
    q: Option<String>,
    sort: Option<String>,
    order: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<AgentFilter, ApiError> {
        let sort = match self.sort.as_deref() {
            None | Some("created_at") => AgentSort::CreatedAt,
            Some("name") => AgentSort::Name,
            Some("updated_at") => AgentSort::UpdatedAt,
            Some("last_run_at") => AgentSort::LastRunAt,
            Some(_) => return Err(bad("sort must be one of created_at, name, updated_at, last_run_at")),
        };
        let descending = match self.order.as_deref() {
            None | Some("desc") => true,
            Some("asc") => false,
            Some(_) => return Err(bad("order must be asc or desc")),
        };
        let limit = self.limit.unwrap_or(50).clamp(1, 100);
        let offset = self.offset.unwrap_or(0).max(0);
        Ok(AgentFilter { q: input::search(self.q, "q")?, sort, descending, limit, offset })
    }
}

async fn list(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let filter = query.filter()?;
    let (agents, total) = state.db.agents(&principal, &filter).await?;
    let agents: Vec<_> = agents
        .into_iter()
        .map(|mut summary| {
            summary.agent = with_model(summary.agent, &state);
            summary
        })
        .collect();
    Ok(Json(json!({ "agents": agents, "total": total, "limit": filter.limit, "offset": filter.offset })))
}

async fn create(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let mut fields = input::fields(body)?;
    let agent = NewAgent {
        name: read_name(&fields)?.ok_or_else(|| bad("Name is required"))?,
        model: read_model(&fields)?,
        system_prompt: input::text(&fields, "system_prompt")?,
        settings: read_settings(&mut fields)?.unwrap_or_else(|| json!({})),
    };
    let made = with_model(state.db.create_agent(&principal, &agent).await?, &state);
    let answer = json!({
        "id": made.id, "name": made.name, "model": made.model, "system_prompt": made.system_prompt, "settings": made.settings,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

async fn show(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<AgentRow>, ApiError> {
    let found = state.db.agent(&principal, input::id(&agent, NO_AGENT)?).await?;
    found.map(|agent| Json(with_model(agent, &state))).ok_or(ApiError::NotFound(NO_AGENT))
}

async fn change(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<AgentRow>, ApiError> {
    let agent = input::id(&agent, NO_AGENT)?;
    let mut fields = input::fields(body)?;
    if !["name", "model", "system_prompt", "settings"].iter().any(|name| fields.contains_key(*name)) {
        return Err(bad("No valid fields to update"));
    }
    let change = AgentChange {
        name: if fields.contains_key("name") {
            Some(read_name(&fields)?.ok_or_else(|| bad("Name is required"))?)
        } else {
            None
        },
        model: fields.contains_key("model").then(|| read_model(&fields)).transpose()?,
        system_prompt: fields
            .contains_key("system_prompt")
            .then(|| input::text(&fields, "system_prompt"))
            .transpose()?,
        settings: read_settings(&mut fields)?,
    };
    let changed = state.db.change_agent(&principal, agent, &change).await?;
    changed.map(|agent| Json(with_model(agent, &state))).ok_or(ApiError::NotFound(NO_AGENT))
}

/// Answers the same where there is none: deleting twice is no mistake.
async fn delete(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<Value>, ApiError> {
    if let Ok(agent) = input::id(&agent, NO_AGENT) {
        state.db.delete_agent(&principal, agent).await?;
    }
    Ok(Json(json!({ "message": "Agent deleted" })))
}

async fn tools(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let agent = input::id(&agent, NO_AGENT)?;
    state.db.agent(&principal, agent).await?.ok_or(ApiError::NotFound(NO_AGENT))?;
    Ok(Json(json!({ "tools": state.db.agent_tools(&principal, agent).await? })))
}

async fn assign(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let agent = input::id(&agent, NO_AGENT)?;
    state.db.agent(&principal, agent).await?.ok_or(ApiError::NotFound(NO_AGENT))?;
    let mut fields = input::fields(body)?;
    let wish = Assign {
        tool_type: input::text(&fields, "tool_type")?,
        tool_name: input::text(&fields, "tool_name")?,
        tool_id: input::uuid(&fields, "tool_id")?,
        approval: input::text(&fields, "approval")?,
        config_override: fields.remove("config_override"),
    };
    let made = state.agents.assign_tool(&principal, agent, wish).await?;
    Ok((StatusCode::CREATED, Json(json!({ "id": made.id, "tool_name": made.tool_name }))))
}

/// Only `config_override` and `approval` can be changed; other fields are ignored, as on the platform.
async fn change_assignment(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path((agent, assignment)): Path<(String, String)>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    let missing = "Tool assignment not found";
    let (agent, assignment) = (input::id(&agent, missing)?, input::id(&assignment, missing)?);
    let mut fields = input::fields(body)?;
    let change = AssignmentChange {
        approval: input::text(&fields, "approval")?,
        config_override: fields.remove("config_override").filter(|value| !value.is_null()),
    };
    let changed = state.agents.change_assignment(&principal, agent, assignment, change).await?;
    Ok(Json(json!(changed)))
}

async fn unassign(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path((agent, assignment)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let missing = "Assignment not found";
    let (agent, assignment) = (input::id(&agent, missing)?, input::id(&assignment, missing)?);
    if !state.db.delete_assignment(&principal, agent, assignment).await? {
        return Err(ApiError::NotFound(missing));
    }
    Ok(Json(json!({ "deleted": true })))
}

fn bad(text: &str) -> ApiError {
    ApiError::BadRequest(text.to_owned())
}

/// Clients expect a model's name; where the agent has none it is the host's default.
fn with_model(mut agent: AgentRow, state: &AppState) -> AgentRow {
    agent.model.get_or_insert_with(|| state.agents.default_model().to_owned());
    agent
}

fn read_name(fields: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    let name = input::text(fields, "name")?.filter(|name| !name.trim().is_empty());
    match name {
        Some(name) if name.chars().count() > 255 => Err(bad("name may have at most 255 characters")),
        name => Ok(name),
    }
}

fn read_model(fields: &Map<String, Value>) -> Result<Option<String>, ApiError> {
    let model = input::text(fields, "model")?.filter(|model| !model.is_empty());
    if let Some(model) = &model {
        Models::check_name(model).map_err(|error| bad(&format!("model: {error}")))?;
    }
    Ok(model)
}

fn read_settings(fields: &mut Map<String, Value>) -> Result<Option<Value>, ApiError> {
    let Some(settings) = fields.remove("settings").filter(|settings| !settings.is_null()) else { return Ok(None) };
    AgentSettings::read(&settings).map_err(|error| bad(&error))?;
    Ok(Some(settings))
}

impl From<AssignError> for ApiError {
    fn from(error: AssignError) -> Self {
        match error {
            AssignError::NotFound => Self::NotFound("Tool assignment not found"),
            AssignError::Taken(_) => Self::Conflict(error.to_string()),
            AssignError::Database(error) => error.into(),
            other => Self::BadRequest(other.to_string()),
        }
    }
}
