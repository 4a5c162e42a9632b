//! Agents as models.

use axum::extract::State;
use axum::response::Response;
use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::shape::{Refusal, answer};
use crate::db::{AgentFilter, AgentRow, AgentSort};
use crate::http::extract::Path;
use crate::http::input::SignedIn;
use crate::http::state::AppState;
use crate::identity::Principal;

/// Agents of one list; the API knows no pages.
const LISTED: i64 = 1_000;

/// Every agent: whoever is signed in may run each of them, with their own rights.
pub(super) async fn list(State(state): State<AppState>, SignedIn(principal): SignedIn) -> Result<Response, Refusal> {
    let (agents, _) = state.db.agents(&principal, &filter(None)).await?;
    let models: Vec<_> = agents.iter().map(|summary| as_model(&summary.agent)).collect();
    Ok(answer(json!({ "object": "list", "data": models })))
}

pub(super) async fn show(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(model): Path<String>,
) -> Result<Response, Refusal> {
    let id = find(&state, &principal, &model).await?;
    let agent = state.db.agent(&principal, id).await?.ok_or_else(Refusal::no_model)?;
    Ok(answer(as_model(&agent)))
}

/// The agent of this id, or the only one of this name.
pub(super) async fn find(state: &AppState, principal: &Principal, model: &str) -> Result<Uuid, Refusal> {
    if let Ok(id) = Uuid::try_parse(model) {
        return Ok(id);
    }
    // What no name can be need not be looked for.
    if model.chars().count() > 255 || model.contains('\0') {
        return Err(Refusal::no_model());
    }
    let (agents, _) = state.db.agents(principal, &filter(Some(model))).await?;
    let mut named = agents.into_iter().filter(|summary| summary.agent.name == model);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only.agent.id),
        (Some(_), Some(_)) => Err(Refusal::of("model", "several agents have this name; send the id of one")),
        (None, _) => Err(Refusal::no_model()),
    }
}

fn filter(q: Option<&str>) -> AgentFilter {
    AgentFilter { q: q.map(str::to_owned), sort: AgentSort::CreatedAt, descending: false, limit: LISTED, offset: 0 }
}

fn as_model(agent: &AgentRow) -> Value {
    let created = DateTime::parse_from_rfc3339(&agent.created_at).map_or(0, |moment| moment.timestamp());
    json!({ "id": agent.id, "object": "model", "created": created, "owned_by": "behalf", "name": agent.name })
}
