//! Routes of feedback on runs.

use axum::extract::State;
use behalf_web::{ApiError, Json, Path, Routes, SignedIn, input, routes};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::NO_RUN;
use crate::state::AgentsState;
use crate::store::{Feedback, NewFeedback, Rating};

/// Characters of a comment.
const MAX_COMMENT_CHARS: usize = 2_000;

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(show, store, delete))
}

/// Feedback to store.
#[derive(Debug, Deserialize, ToSchema)]
struct StoreFeedback {
    /// Whether the answer was good.
    #[schema(value_type = Rating, required = true)]
    rating: Option<Value>,
    /// What the user says about the answer, at most 2,000 characters.
    #[schema(max_length = 2000)]
    comment: Option<String>,
}

/// Shows the caller's feedback on a run.
#[utoipa::path(
    get,
    path = "/api/agents/runs/{run}/feedback",
    operation_id = "show_run_feedback",
    tag = "Runs",
    params(("run" = String, Path, description = "The run's id.")),
    responses((status = 200, description = "The feedback", body = Feedback))
)]
async fn show(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
) -> Result<Json<Feedback>, ApiError> {
    Ok(Json(state.agents.feedback.find(&principal, input::text_id(&run, NO_RUN)?).await?))
}

/// Stores the caller's feedback on a run, in place of earlier feedback.
#[utoipa::path(
    put,
    path = "/api/agents/runs/{run}/feedback",
    operation_id = "store_run_feedback",
    tag = "Runs",
    params(("run" = String, Path, description = "The run's id.")),
    request_body = StoreFeedback,
    responses((status = 200, description = "The feedback", body = Feedback))
)]
async fn store(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
    Json(body): Json<StoreFeedback>,
) -> Result<Json<Feedback>, ApiError> {
    let new = body.check()?;
    Ok(Json(state.agents.feedback.store(&principal, input::text_id(&run, NO_RUN)?, &new).await?))
}

/// Deletes the caller's feedback on a run.
#[utoipa::path(
    delete,
    path = "/api/agents/runs/{run}/feedback",
    operation_id = "delete_run_feedback",
    tag = "Runs",
    params(("run" = String, Path, description = "The run's id.")),
    responses((status = 204, description = "It is deleted"))
)]
async fn delete(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(run): Path<String>,
) -> Result<StatusCode, ApiError> {
    state.agents.feedback.delete(&principal, input::text_id(&run, NO_RUN)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl StoreFeedback {
    fn check(self) -> Result<NewFeedback, ApiError> {
        let rating = self.rating.and_then(|rating| Rating::deserialize(rating).ok());
        let new = NewFeedback {
            rating: rating.ok_or_else(|| ApiError::bad_request("rating must be good or bad"))?,
            comment: self.comment.filter(|comment| !comment.trim().is_empty()),
        };
        if new.comment.as_deref().is_some_and(|comment| comment.chars().count() > MAX_COMMENT_CHARS) {
            return Err(ApiError::bad_request(format!("comment may have at most {MAX_COMMENT_CHARS} characters")));
        }
        Ok(new)
    }
}
