use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{Caller, Json, Query};
use super::routes::Routes;
use super::state::AppState;

pub(super) fn router() -> Routes {
    Routes::new().get("/api/tool-calls", list).get("/api/audit-events", events)
}

#[derive(Debug, Deserialize)]
struct Page {
    limit: Option<i64>,
    offset: Option<i64>,
}

impl Page {
    /// Rows, and rows to leave out first.
    fn bounds(&self) -> (i64, i64) {
        (self.limit.unwrap_or(50).clamp(1, 200), self.offset.unwrap_or(0).max(0))
    }
}

/// The audit log as the caller may read it: a user their own calls, the service role all of them.
async fn list(
    State(state): State<AppState>,
    Caller(principal): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let (limit, offset) = page.bounds();
    state.db.audit().flush().await;
    let calls = state.db.tool_calls(&principal, limit, offset).await?;
    Ok(Json(json!({ "tool_calls": calls, "limit": limit, "offset": offset })))
}

/// What was done beside tool calls, and in whose name.
async fn events(
    State(state): State<AppState>,
    Caller(principal): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Value>, ApiError> {
    let (limit, offset) = page.bounds();
    let events = state.db.audit_events(&principal, limit, offset).await?;
    Ok(Json(json!({ "audit_events": events, "limit": limit, "offset": offset })))
}
