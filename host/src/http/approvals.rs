use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Json, Path, Query};
use super::input::{self, SignedIn};
use super::routes::Routes;
use super::state::AppState;
use crate::db::Decision;

const NONE_WAITS: &str = "Run not found or not waiting for approval";

/// Characters of a reason.
const MAX_REASON_CHARS: usize = 2_000;

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/approvals", list)
        .get("/api/agents/runs/{run}/approvals", of_run)
        .post("/api/agents/runs/{run}/approve", decide)
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    status: Option<String>,
    limit: Option<i64>,
    offset: Option<i64>,
}

async fn list(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<Value>, ApiError> {
    let status = query.status.filter(|status| !status.is_empty());
    if status.as_deref().is_some_and(|status| !["pending", "approved", "denied", "expired"].contains(&status)) {
        return Err(ApiError::BadRequest("status must be pending, approved, denied or expired".to_owned()));
    }
    let (limit, offset) = (query.limit.unwrap_or(50).clamp(1, 100), query.offset.unwrap_or(0).max(0));
    let approvals = state.db.approvals(&principal, None, status.as_deref(), limit, offset).await?;
    Ok(Json(json!({ "approvals": approvals, "limit": limit, "offset": offset })))
}

async fn of_run(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let run = input::text_id(&run, "Run not found")?;
    state.db.run_events(&principal, run, 0, 0).await?.status.ok_or(ApiError::NotFound("Run not found"))?;
    Ok(Json(json!({ "approvals": state.db.approvals(&principal, Some(run), None, 100, 0).await? })))
}

/// Decides about the call that has waited longest, or about the one that `approval_id` names.
async fn decide(
    State(state): State<AppState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    let fields = input::fields(body)?;
    let approved = fields.get("approved").and_then(Value::as_bool);
    let decision = Decision {
        id: input::uuid(&fields, "approval_id")?,
        approved: approved.ok_or_else(|| ApiError::BadRequest("approved must be true or false".to_owned()))?,
        reason: input::text(&fields, "reason")?.filter(|reason| !reason.trim().is_empty()),
    };
    if decision.reason.as_deref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
        return Err(ApiError::BadRequest(format!("reason may have at most {MAX_REASON_CHARS} characters")));
    }
    let decided = state.agents.decide(&principal, input::text_id(&run, NONE_WAITS)?, &decision).await?;
    let decided = decided.ok_or(ApiError::NotFound(NONE_WAITS))?;
    Ok(Json(json!({
        "status": "resumed", "run_id": decided.run_id, "approval_id": decided.id, "tool_name": decided.tool_name,
        "approved": decision.approved,
    })))
}
