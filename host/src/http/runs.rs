use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Json, Path, Query, RequestId};
use super::idempotency::{self, IdempotencyKey, Known};
use super::input::{self, Delegable};
use super::limits::TooMany;
use super::routes::Routes;
use super::sse;
use super::state::AppState;
use crate::agents::{Agents, Followed, RequestError, RunRequest, StartError};
use crate::db::RunRow;
use crate::identity::{Principal, VerifyError};

const NO_AGENT: &str = "Agent not found";
const NO_RUN: &str = "Run not found";

/// How long a wait for a run's end lasts before it looks whether the caller's token still does.
const PATIENCE: Duration = Duration::from_secs(15);

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
    key: IdempotencyKey,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, ApiError> {
    let begun = start(&state, principal, request_id, &key, &agent, body).await?;
    if begun.is_replay {
        until_over(&state, &begun.principal, &begun.run_id).await?;
    } else {
        state.agents.finished(&begun.run_id).await;
    }
    let run = state.db.run(&begun.principal, &begun.run_id).await?.ok_or(ApiError::NotFound(NO_RUN))?;
    let response = answer(&run).map(Json).into_response();
    Ok(if begun.is_replay { idempotency::replayed(response) } else { response })
}

async fn stream(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    Path(agent): Path<String>,
    Query(query): Query<StreamQuery>,
    Json(body): Json<Value>,
) -> Result<Response, ApiError> {
    let cancels = query.cancels()?;
    let place = state.limits.stream(&principal)?;
    let begun = start(&state, principal, request_id, &key, &agent, body).await?;
    let reader = state.agents.follow(&begun.principal, &begun.run_id, 0);
    let guard = cancels.then(|| CancelOnDrop {
        agents: Arc::clone(&state.agents),
        principal: begun.principal,
        run_id: begun.run_id,
    });
    let response = sse::response(reader, (place, guard));
    Ok(if begun.is_replay { idempotency::replayed(response) } else { response })
}

#[derive(Debug, Deserialize)]
struct StreamQuery {
    on_disconnect: Option<String>,
}

impl StreamQuery {
    /// Whether the run is to end when its reader goes away; else it goes on, and the reader may come back.
    fn cancels(&self) -> Result<bool, ApiError> {
        match self.on_disconnect.as_deref() {
            None | Some("" | "continue") => Ok(false),
            Some("cancel") => Ok(true),
            Some(_) => Err(ApiError::BadRequest("on_disconnect must be continue or cancel".to_owned())),
        }
    }
}

/// Cancels a run when it is dropped; one that is over stays as it is.
struct CancelOnDrop {
    agents: Arc<Agents>,
    principal: Arc<Principal>,
    run_id: String,
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let (agents, principal) = (Arc::clone(&self.agents), Arc::clone(&self.principal));
        let run_id = std::mem::take(&mut self.run_id);
        tokio::spawn(async move {
            if let Err(error) = agents.cancel(&principal, &run_id).await {
                tracing::warn!(run.id = %run_id, error = %error, "cannot cancel a run whose client went away");
            }
        });
    }
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
    let place = state.limits.stream(&principal)?;
    Ok(sse::response(state.agents.follow(&principal, run, after), place))
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

/// A run that a request began, or began when it was sent before.
#[derive(Debug)]
struct Begun {
    principal: Arc<Principal>,
    run_id: String,
    is_replay: bool,
}

/// Begins the run that a body asks for, as the caller or as whom the service role names in it. With an idempotency key
/// that began a run already, it is that run.
async fn start(
    state: &AppState,
    caller: Arc<Principal>,
    request_id: String,
    key: &IdempotencyKey,
    agent: &str,
    body: Value,
) -> Result<Begun, ApiError> {
    let agent = input::id(agent, NO_AGENT)?;
    let body = Value::Object(input::fields(body)?);
    let acting = body.get("act_as_user").is_some_and(|user| !user.is_null());
    if acting {
        // Who may not act for others learns that first, whatever else the body holds.
        caller.act_as(Uuid::nil())?;
    }
    let mut request = RunRequest::read(&body, caller.is_service() && !acting)?;
    request.request_id = Some(request_id);
    let principal = match request.act_as_user {
        Some(user) => {
            let request_id = request.request_id.as_deref();
            Arc::new(state.acting_for(&caller, user, request_id, "act_as_user of a run").await?)
        }
        None => caller,
    };
    request.claim = match key.claim(state, &principal, &body).await? {
        Known::New(claim) => claim,
        Known::Run(run_id) => return Ok(Begun { principal, run_id, is_replay: true }),
        Known::Answered(_) => return Err(ApiError::Internal("a run's key has an answer of its own".into())),
    };
    let claim = request.claim;
    let started = match state.limits.count_run(&principal) {
        Ok(()) => state.agents.start(&principal, agent, request).await.map_err(ApiError::from),
        Err(refused) => Err(refused.into()),
    };
    match started {
        Ok(started) => Ok(Begun { principal, run_id: started.run_id, is_replay: false }),
        Err(error) => {
            idempotency::release(state, claim).await;
            Err(error)
        }
    }
}

/// Waits for the end of a run that may be another host's, while the caller's token lasts.
pub(super) async fn until_over(state: &AppState, principal: &Arc<Principal>, run_id: &str) -> Result<(), ApiError> {
    // No event has a number as high, so only the end comes.
    let mut reader = state.agents.follow(principal, run_id, i64::MAX);
    loop {
        match reader.next(PATIENCE).await? {
            Followed::End => return Ok(()),
            Followed::Expired => return Err(VerifyError::Expired.into()),
            Followed::Events(_) | Followed::Silence => {}
        }
    }
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
        "error": run.error, "usage": run.usage, "retrieved_items": run.retrieved_context, "status": run.status,
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
            StartError::TooMany { allowed, .. } => {
                let wait = Duration::from_secs(1);
                Self::TooMany(TooMany { limit: "runs at once", allowed, wait })
            }
            StartError::Credits(error) => error.into(),
            StartError::KeyLost => Self::InProgress(error.to_string()),
            StartError::Delegation(_) => Self::Forbidden(error.to_string()),
            StartError::Settings(_) | StartError::Depth => Self::Unprocessable(error.to_string()),
            StartError::Closing | StartError::Busy | StartError::Context(_) => Self::Unavailable(error.to_string()),
            StartError::Database(error) => error.into(),
            StartError::Task(error) => Self::Internal(Box::new(error)),
        }
    }
}
