//! Routes of tool calls that wait until somebody agrees.

use axum::extract::State;
use behalf_web::{ApiError, Json, Page, Path, Query, Routes, SignedIn, input, routes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{NO_RUN, uuid_field};
use crate::state::AgentsState;
use crate::store::{Approval, ApprovalFilter, Decision};

const NONE_WAITS: &str = "Run not found or not waiting for approval";

/// Characters of a reason.
const MAX_REASON_CHARS: usize = 2_000;
/// Approvals of one run that are listed.
const MAX_OF_RUN: i64 = 100;

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list)).routes(routes!(of_run)).routes(routes!(decide))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// `pending`, `approved`, `denied` or `expired`; all where absent.
    status: Option<String>,
    /// Rows, at most 100; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
}

/// One page of approvals.
#[derive(Debug, Serialize, ToSchema)]
struct ApprovalList {
    /// Newest first.
    approvals: Vec<Approval>,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// The approvals of one run.
#[derive(Debug, Serialize, ToSchema)]
struct RunApprovals {
    /// Newest first.
    approvals: Vec<Approval>,
}

/// A decision about a call.
#[derive(Debug, Deserialize, ToSchema)]
struct Decide {
    /// The approval; the one that has waited longest where absent.
    #[schema(value_type = Option<Uuid>)]
    approval_id: Option<String>,
    /// Whether the call may be made.
    #[schema(value_type = bool, required = true)]
    approved: Option<Value>,
    /// The reason, which the model reads where the call is refused.
    reason: Option<String>,
}

/// A decision that was taken.
#[derive(Debug, Serialize, ToSchema)]
struct Decided {
    /// `resumed`.
    status: &'static str,
    /// The run that had waited.
    run_id: String,
    /// The approval.
    approval_id: Uuid,
    /// The tool.
    tool_name: String,
    /// Whether the call may be made.
    approved: bool,
}

/// Lists the approvals that the caller may see.
#[utoipa::path(
    get,
    path = "/api/approvals",
    operation_id = "list_approvals",
    tag = "Approvals",
    params(ListQuery),
    responses((status = 200, description = "One page of approvals", body = ApprovalList))
)]
async fn list(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Query(query): Query<ListQuery>,
) -> Result<Json<ApprovalList>, ApiError> {
    let status = query.status.filter(|status| !status.is_empty());
    if status.as_deref().is_some_and(|status| !["pending", "approved", "denied", "expired"].contains(&status)) {
        return Err(ApiError::bad_request("status must be pending, approved, denied or expired"));
    }
    let Page { limit, offset } = Page::new(query.limit, query.offset, 50, 100);
    let filter = ApprovalFilter { run_id: None, status: status.as_deref(), limit, offset };
    let approvals = state.agents.environment.approvals.list(&principal, filter).await?;
    Ok(Json(ApprovalList { approvals, limit, offset }))
}

/// Lists the approvals of one run.
#[utoipa::path(
    get,
    path = "/api/agents/runs/{run}/approvals",
    operation_id = "list_run_approvals",
    tag = "Approvals",
    params(("run" = String, Path, description = "The run's id.")),
    responses((status = 200, description = "The approvals", body = RunApprovals))
)]
async fn of_run(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
) -> Result<Json<RunApprovals>, ApiError> {
    let run = input::text_id(&run, NO_RUN)?;
    let found = state.agents.environment.events.after(&principal, run, 0, 0).await?;
    found.status.ok_or_else(|| ApiError::not_found(NO_RUN))?;
    let filter = ApprovalFilter { run_id: Some(run), status: None, limit: MAX_OF_RUN, offset: 0 };
    Ok(Json(RunApprovals { approvals: state.agents.environment.approvals.list(&principal, filter).await? }))
}

/// Decides about the call that has waited longest, or about the one that `approval_id` names.
#[utoipa::path(
    post,
    path = "/api/agents/runs/{run}/approve",
    operation_id = "decide_approval",
    tag = "Approvals",
    params(("run" = String, Path, description = "The run's id.")),
    request_body = Decide,
    responses((status = 200, description = "The run goes on", body = Decided))
)]
async fn decide(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
    Json(body): Json<Decide>,
) -> Result<Json<Decided>, ApiError> {
    let decision = body.check()?;
    let run = input::text_id(&run, NONE_WAITS)?;
    let decided = state.agents.environment.approvals.decide(&principal, run, &decision).await?;
    let Approval { run_id, id, tool_name, .. } = decided.ok_or_else(|| ApiError::not_found(NONE_WAITS))?;
    Ok(Json(Decided { status: "resumed", run_id, approval_id: id, tool_name, approved: decision.approved }))
}

impl Decide {
    fn check(self) -> Result<Decision, ApiError> {
        let approved = self.approved.as_ref().and_then(Value::as_bool);
        let decision = Decision {
            id: uuid_field(self.approval_id, "approval_id")?,
            approved: approved.ok_or_else(|| ApiError::bad_request("approved must be true or false"))?,
            reason: self.reason.filter(|reason| !reason.trim().is_empty()),
        };
        if decision.reason.as_deref().is_some_and(|reason| reason.chars().count() > MAX_REASON_CHARS) {
            return Err(ApiError::bad_request(format!("reason may have at most {MAX_REASON_CHARS} characters")));
        }
        Ok(decision)
    }
}
