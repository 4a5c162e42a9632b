use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Json, Path, RequestId};
use super::input::{self, Delegable};
use super::routes::Routes;
use super::sse;
use super::state::AppState;
use crate::agents::{RequestError, RunRequest, StartError, StartedRun};
use crate::db::RunRow;
use crate::identity::Principal;

const NO_AGENT: &str = "Agent not found";
const NO_RUN: &str = "Run not found";

pub(super) fn router() -> Routes {
    Routes::new()
        .post("/api/agents/{agent}/run", run)
        .post("/api/agents/{agent}/run/stream", stream)
        .get("/api/agents/runs/{run}", show)
        .get("/api/agents/runs/{run}/events", events)
        .post("/api/agents/runs/{run}/cancel", cancel)
}

/// The same run as the streamed one; the answer comes at its end.
async fn run(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    let (principal, started) = start(&state, principal, request_id, &agent, body).await?;
    state.agents.finished(&started.run_id).await;
    let run = state.db.run(&principal, &started.run_id).await?.ok_or(ApiError::NotFound(NO_RUN))?;
    answer(&run).map(Json)
}

async fn stream(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, ApiError> {
    let (principal, started) = start(&state, principal, request_id, &agent, body).await?;
    Ok(sse::response(state.agents.follow(&principal, &started.run_id, 0)))
}

async fn show(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    Path(run): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let run = state.db.run(&principal, input::text_id(&run, NO_RUN)?).await?.ok_or(ApiError::NotFound(NO_RUN))?;
    Ok(Json(as_platform(&run)))
}

async fn events(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    Path(run): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let run = input::text_id(&run, NO_RUN)?;
    let after = sse::last_event_id(&headers)?;
    // Nothing is read but whether the caller sees the run: a stream has no other way to say 404.
    state.db.run_events(&principal, run, after, 0).await?.status.ok_or(ApiError::NotFound(NO_RUN))?;
    Ok(sse::response(state.agents.follow(&principal, run, after)))
}

/// 202 where the run's host has not ended it yet; a run that is over stays as it is.
async fn cancel(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    Path(run): Path<String>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let run =
        state.agents.cancel(&principal, input::text_id(&run, NO_RUN)?).await?.ok_or(ApiError::NotFound(NO_RUN))?;
    let (code, status) = match run.status.as_str() {
        "running" | "pending" => (StatusCode::ACCEPTED, "cancelling"),
        status => (StatusCode::OK, status),
    };
    Ok((code, Json(json!({ "run_id": run.run_id, "status": status }))))
}

/// Begins the run that a body asks for, as the caller or as whom the service role names in it.
async fn start(
    state: &AppState,
    caller: Arc<Principal>,
    request_id: String,
    agent: &str,
    body: Value,
) -> Result<(Arc<Principal>, StartedRun), ApiError> {
    let agent = input::id(agent, NO_AGENT)?;
    let fields = input::fields(body)?;
    let acting = fields.get("act_as_user").is_some_and(|user| !user.is_null());
    if acting {
        // Who may not act for others learns that first, whatever else the body holds.
        caller.act_as(Uuid::nil())?;
    }
    let mut request = RunRequest::read(&Value::Object(fields), caller.is_service() && !acting)?;
    request.request_id = Some(request_id);
    let principal = match request.act_as_user {
        Some(user) => {
            Arc::new(state.acting_for(&caller, user, request.request_id.as_deref(), "act_as_user of a run").await?)
        }
        None => caller,
    };
    let started = state.agents.start(&principal, agent, request).await?;
    Ok((principal, started))
}

/// What `/run` answers.
fn answer(run: &RunRow) -> Result<Value, ApiError> {
    match run.status.as_str() {
        "failed" => {
            let error = run.error.clone().unwrap_or_default();
            return Err(ApiError::Run { run_id: run.run_id.clone(), error });
        }
        "running" | "pending" => {
            return Err(ApiError::Unavailable(
                "the run's end could not be stored; ask for the run again shortly".to_owned(),
            ));
        }
        _ => {}
    }
    Ok(json!({
        "run_id": run.run_id, "session_id": run.session_id, "context_handler_id": null, "content": run.content,
        "error": run.error, "usage": run.usage, "retrieved_items": [], "status": run.status,
        "is_new_session": run.is_new_session, "steps": run.steps, "tool_calls": run.tool_calls,
    }))
}

/// A run in the platform's shape.
pub(super) fn as_platform(run: &RunRow) -> Value {
    let mut shown = json!(run);
    if let Value::Object(fields) = &mut shown {
        for name in ["parent_orchestration_run_id", "parent_workflow_execution_id"] {
            fields.insert(name.to_owned(), Value::Null);
        }
        fields.insert("retrieved_context".to_owned(), json!([]));
    }
    shown
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Form(text) => Self::BadRequest(text),
            RequestError::ServiceOnly(_) => Self::Forbidden(error.to_string()),
        }
    }
}

impl From<StartError> for ApiError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Agent => Self::NotFound(NO_AGENT),
            StartError::Session => Self::NotFound("Session not found"),
            StartError::Delegation(_) => Self::Forbidden(error.to_string()),
            StartError::Settings(_) => Self::Unprocessable(error.to_string()),
            StartError::Closing | StartError::Busy => Self::Unavailable(error.to_string()),
            StartError::Database(error) => error.into(),
            StartError::Task(error) => Self::Internal(Box::new(error)),
        }
    }
}
