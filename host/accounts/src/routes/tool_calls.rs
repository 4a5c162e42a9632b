//! The audit log of tool calls.

use axum::extract::State;
use behalf_web::{ApiError, Caller, Json, Page, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::filter::{id, moment};
use super::{Accounts, DEFAULT_ROWS, MAX_ROWS};
use crate::audit::{CallFilter, ToolCallRow};

/// Which tool calls to answer with: those that fit every parameter that is given.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallQuery {
    /// Rows, 200 at most; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// Of this tool.
    tool: Option<String>,
    /// Of tools of this plugin.
    plugin: Option<String>,
    /// That ended so: `ok`, `started`, or the name of an error.
    outcome: Option<String>,
    /// By this actor, as in a row.
    actor: Option<String>,
    /// In this user's name.
    #[param(format = Uuid)]
    user_id: Option<String>,
    /// By this agent.
    #[param(format = Uuid)]
    agent_id: Option<String>,
    /// In this session.
    session_id: Option<String>,
    /// In this run.
    run_id: Option<String>,
    /// By this HTTP request.
    request_id: Option<String>,
    /// From this moment on: `2026-12-31T23:59:59Z`, or a day, which begins at midnight of UTC.
    from: Option<String>,
    /// Before this moment.
    to: Option<String>,
}

/// Tool calls, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolCallList {
    tool_calls: Vec<ToolCallRow>,
    /// Most rows of this answer.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

impl CallQuery {
    fn filter(self) -> Result<CallFilter, ApiError> {
        Ok(CallFilter {
            page: Page::new(self.limit, self.offset, DEFAULT_ROWS, MAX_ROWS),
            tool: self.tool,
            plugin: self.plugin,
            outcome: self.outcome,
            actor: self.actor,
            user: id(self.user_id, "user_id")?,
            agent: id(self.agent_id, "agent_id")?,
            session: self.session_id,
            run: self.run_id,
            request: self.request_id,
            from: moment(self.from, "from")?,
            to: moment(self.to, "to")?,
        })
    }
}

/// Lists tool calls, newest first: a user's own, for the service role everybody's.
#[utoipa::path(
    get,
    path = "/api/tool-calls",
    operation_id = "list_tool_calls",
    tag = "Audit log",
    params(CallQuery),
    responses((status = 200, description = "Tool calls that the caller may see", body = ToolCallList))
)]
pub(crate) async fn list(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Query(query): Query<CallQuery>,
) -> Result<Json<ToolCallList>, ApiError> {
    let filter = query.filter()?;
    let tool_calls = accounts.audit.tool_calls(&principal, &filter).await?;
    Ok(Json(ToolCallList { tool_calls, limit: filter.page.limit, offset: filter.page.offset }))
}
