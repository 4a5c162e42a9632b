//! The audit log of tool calls.

use axum::extract::State;
use behalf_web::{ApiError, Caller, Json, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Accounts, PageQuery};
use crate::audit::ToolCallRow;

/// Tool calls, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolCallList {
    tool_calls: Vec<ToolCallRow>,
    /// Most rows of this answer.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists tool calls, newest first: a user's own, for the service role everybody's.
#[utoipa::path(
    get,
    path = "/api/tool-calls",
    operation_id = "list_tool_calls",
    tag = "Audit log",
    params(PageQuery),
    responses((status = 200, description = "Tool calls that the caller may see", body = ToolCallList))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<ToolCallList>, ApiError> {
    let page = query.page();
    let tool_calls = accounts.audit.tool_calls(&principal, page).await?;
    Ok(Json(ToolCallList { tool_calls, limit: page.limit, offset: page.offset }))
}
