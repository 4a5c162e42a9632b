//! A run in the forms that clients get.

use behalf_web::ApiError;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::run::{RunFailed, RunGoesOn, WaitError};
use crate::store::RunRow;

/// The answer of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RunAnswer {
    /// The run.
    run_id: String,
    /// Its session.
    session_id: String,
    /// The search that was made before the model was asked.
    context_handler_id: Option<Uuid>,
    /// The agent's answer, or as much as there is of it.
    content: Option<String>,
    /// Why there is no whole answer.
    error: Option<String>,
    /// The tokens that the run used, and its cost where things have a price.
    #[schema(value_type = Object)]
    usage: Value,
    /// The passages that the run was given to read.
    #[schema(value_type = Vec<Object>)]
    retrieved_items: Value,
    /// What the numbers in the answer stand for; only where citations were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    citations: Option<Value>,
    /// The passages that the answer could cite; only where citations were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    citation_candidates: Option<Value>,
    /// Why a search before the run gave nothing, and which tools the agent did not get.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// `completed` or `cancelled`.
    status: String,
    /// Whether the session began with the run.
    is_new_session: bool,
    /// One record for each step.
    #[schema(value_type = Vec<Object>)]
    steps: Value,
    /// One record for each tool call.
    #[schema(value_type = Vec<Object>)]
    tool_calls: Value,
}

impl RunAnswer {
    /// The answer of a run that is over; the error where it failed. `may_repeat` says whether the same request, sent again, gets
    /// this run.
    pub(super) fn of(run: RunRow, may_repeat: bool) -> Result<Self, ApiError> {
        if run.is_unfinished() {
            return Err(RunGoesOn { run_id: run.run_id, reason: WaitError::HostStops, may_repeat }.into());
        }
        if run.status == "failed" {
            return Err(RunFailed {
                run_id: run.run_id,
                error: run.error.unwrap_or_default(),
                reason: run.error_reason,
            }
            .into());
        }
        Ok(Self {
            run_id: run.run_id,
            session_id: run.session_id,
            context_handler_id: run.context_handler_id,
            content: run.content,
            error: run.error,
            usage: run.usage,
            retrieved_items: run.retrieved_context,
            citations: run.citations,
            citation_candidates: run.citation_candidates,
            warning: run.warning,
            status: run.status,
            is_new_session: run.is_new_session,
            steps: run.steps,
            tool_calls: run.tool_calls,
        })
    }
}

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Run {
    #[serde(flatten)]
    row: RunRow,
    /// Always null: this host has no orchestrations.
    parent_orchestration_run_id: Option<String>,
    /// Always null: this host has no workflows.
    parent_workflow_execution_id: Option<String>,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        Self { row, parent_orchestration_run_id: None, parent_workflow_execution_id: None }
    }
}

/// A run that somebody asked to cancel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CancelledRun {
    /// The run.
    run_id: String,
    /// `cancelling` where its host has not ended it yet, else its status.
    status: String,
}

impl CancelledRun {
    /// The run after somebody asked to cancel it, and whether it is over.
    pub(super) fn of(run: RunRow) -> (Self, bool) {
        let is_over = !run.is_unfinished();
        let status = if is_over { run.status } else { "cancelling".to_owned() };
        (Self { run_id: run.run_id, status }, is_over)
    }
}
