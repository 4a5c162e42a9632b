//! Routes of a session's messages and runs.

use axum::extract::State;
use behalf_web::{ApiError, Json, Page, Path, Query, Routes, SignedIn, input, routes};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::NO_RUN;
use super::run_answer::Run;
use super::session::find;
use super::transcript::{SessionMessage, messages_of};
use crate::state::AgentsState;

/// Messages of a transcript.
const MAX_MESSAGES: i64 = 200;

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(messages)).routes(routes!(runs)).routes(routes!(retrieved_context))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct MessagesQuery {
    /// Messages, at most 200; 200 where absent. They are the latest ones.
    limit: Option<i64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct RunsQuery {
    /// Rows, at most 100; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
}

/// The messages of a session.
#[derive(Debug, Serialize, ToSchema)]
struct SessionMessages {
    /// The session.
    session_id: String,
    /// Oldest first.
    messages: Vec<SessionMessage>,
}

/// One page of a session's runs.
#[derive(Debug, Serialize, ToSchema)]
struct SessionRuns {
    /// The session.
    session_id: String,
    /// Oldest first.
    runs: Vec<Run>,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// The passages that a run was given to read.
#[derive(Debug, Serialize, ToSchema)]
struct RetrievedContext {
    /// The session.
    session_id: String,
    /// The run.
    run_id: String,
    /// The passages, in their order.
    #[serde(rename = "retrieved_context")]
    #[schema(value_type = Vec<Object>)]
    passages: Value,
}

/// Shows what was said in a session: the latest messages of completed runs.
#[utoipa::path(
    get,
    path = "/api/sessions/{session}/messages",
    operation_id = "list_messages",
    tag = "Sessions",
    params(("session" = String, Path, description = "The session's id."), MessagesQuery),
    responses((status = 200, description = "The messages", body = SessionMessages))
)]
async fn messages(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<SessionMessages>, ApiError> {
    let session = find(&state, &principal, &session).await?;
    let limit = query.limit.unwrap_or(MAX_MESSAGES).clamp(1, MAX_MESSAGES);
    let exchanges = state.agents.environment.runs.exchanges(&principal, &session.session_id, limit).await?;
    let mut messages: Vec<_> = exchanges.iter().flat_map(messages_of).collect();
    // The latest ones: a transcript is read from its end.
    let surplus = messages.len().saturating_sub(usize::try_from(limit).unwrap_or(usize::MAX));
    messages.drain(..surplus);
    Ok(Json(SessionMessages { session_id: session.session_id, messages }))
}

/// Lists the runs of a session.
#[utoipa::path(
    get,
    path = "/api/sessions/{session}/runs",
    operation_id = "list_session_runs",
    tag = "Sessions",
    params(("session" = String, Path, description = "The session's id."), RunsQuery),
    responses((status = 200, description = "One page of runs", body = SessionRuns))
)]
async fn runs(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path(session): Path<String>,
    Query(query): Query<RunsQuery>,
) -> Result<Json<SessionRuns>, ApiError> {
    let session_id = find(&state, &principal, &session).await?.session_id;
    let Page { limit, offset } = Page::new(query.limit, query.offset, 50, 100);
    let runs = state.agents.environment.runs.of_session(&principal, &session_id, limit, offset).await?;
    Ok(Json(SessionRuns { session_id, runs: runs.into_iter().map(Run::from).collect(), limit, offset }))
}

/// Shows the passages that a run was given to read.
#[utoipa::path(
    get,
    path = "/api/sessions/{session}/runs/{run}/retrieved-context",
    operation_id = "show_retrieved_context",
    tag = "Sessions",
    params(
        ("session" = String, Path, description = "The session's id."),
        ("run" = String, Path, description = "The run's id.")
    ),
    responses((status = 200, description = "The passages", body = RetrievedContext))
)]
async fn retrieved_context(
    State(state): State<AgentsState>,
    SignedIn(principal): SignedIn,
    Path((session, run)): Path<(String, String)>,
) -> Result<Json<RetrievedContext>, ApiError> {
    let session_id = find(&state, &principal, &session).await?.session_id;
    let found = state.agents.environment.runs.find(&principal, input::text_id(&run, NO_RUN)?).await?;
    let run = found.filter(|run| run.session_id == session_id).ok_or_else(|| ApiError::not_found(NO_RUN))?;
    Ok(Json(RetrievedContext { session_id, run_id: run.run_id, passages: run.retrieved_context }))
}
