//! Routes of runs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_identity::Principal;
use behalf_web::{
    ApiError, Delegable, IdempotencyKey, Json, Known, Path, Query, RequestId, Routes, input, release, replayed, routes,
    sse,
};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use tracing::Instrument as _;
use utoipa::IntoParams;

use super::run_answer::{CancelledRun, Run, RunAnswer};
use super::{IdempotencyHeader, NO_RUN, agent_id, event_stream};
use crate::run::{CancelOnDrop, RunBody, RunGoesOn, RunRequest};
use crate::state::AgentsState;

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new()
        .routes(routes!(run))
        .routes(routes!(stream))
        .routes(routes!(show))
        .routes(routes!(events))
        .routes(routes!(cancel))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StreamQuery {
    /// What becomes of the run when the client goes away: `continue` or `cancel`.
    on_disconnect: Option<String>,
}

impl StreamQuery {
    /// Whether the run is to end when its reader goes away; else it goes on, and the reader may come back.
    fn cancels(&self) -> Result<bool, ApiError> {
        match self.on_disconnect.as_deref() {
            None | Some("" | "continue") => Ok(false),
            Some("cancel") => Ok(true),
            Some(_) => Err(ApiError::bad_request("on_disconnect must be continue or cancel")),
        }
    }
}

/// Runs an agent and answers when the run is over. The run goes on when the client goes away.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/run",
    operation_id = "run_agent",
    tag = "Runs",
    params(("agent" = Uuid, Path, description = "The agent's id."), IdempotencyHeader),
    request_body = RunBody,
    responses((status = 200, description = "The answer", body = RunAnswer))
)]
async fn run(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<Response, ApiError> {
    let begun = start(&state, principal, request_id, &key, (&agent, Delivery::Whole), body).await?;
    let ended = state.agents.environment.control.ended(&begun.principal, &begun.run_id).await;
    let found = ended.map_err(|reason| {
        let run_id = begun.run_id.clone();
        RunGoesOn { run_id, reason, may_repeat: key.is_given() }
    })?;
    let run = found.ok_or_else(|| ApiError::not_found(NO_RUN))?;
    Ok(begun.mark(RunAnswer::of(run, key.is_given()).map(Json).into_response()))
}

/// Runs an agent and answers with the run's events as they come.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/run/stream",
    operation_id = "stream_agent_run",
    tag = "Runs",
    params(("agent" = Uuid, Path, description = "The agent's id."), StreamQuery, IdempotencyHeader),
    request_body = RunBody,
    responses((status = 200, description = "Events, one JSON object each.", body = String, content_type = "text/event-stream"))
)]
async fn stream(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    Path(agent): Path<String>,
    Query(query): Query<StreamQuery>,
    Json(body): Json<Value>,
) -> Result<Response, ApiError> {
    let cancels = query.cancels()?;
    let place = state.web.limits.stream(&principal)?;
    let begun = start(&state, principal, request_id, &key, (&agent, Delivery::Stream), body).await?;
    let control = &state.agents.environment.control;
    let reader = control.follow(&begun.principal, &begun.run_id, 0);
    let (principal, run_id) = (Arc::clone(&begun.principal), begun.run_id.clone());
    let guard = cancels.then(|| CancelOnDrop::new(control.clone(), principal, run_id));
    Ok(begun.mark(event_stream::response(control, reader, (place, guard))))
}

/// Shows a run.
#[utoipa::path(
    get,
    path = "/api/agents/runs/{run}",
    operation_id = "show_run",
    tag = "Runs",
    params(("run" = String, Path, description = "The run's id.")),
    responses((status = 200, description = "The run", body = Run))
)]
async fn show(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    Path(run): Path<String>,
) -> Result<Json<Run>, ApiError> {
    let run = state.agents.environment.runs.find(&principal, input::text_id(&run, NO_RUN)?).await?;
    Ok(Json(run.ok_or_else(|| ApiError::not_found(NO_RUN))?.into()))
}

/// Answers with a run's events, those that there are and those that come. A client that was cut off sends the id of the last
/// event that it saw as `Last-Event-ID`.
#[utoipa::path(
    get,
    path = "/api/agents/runs/{run}/events",
    operation_id = "follow_run",
    tag = "Runs",
    params(
        ("run" = String, Path, description = "The run's id."),
        ("Last-Event-ID" = Option<i64>, Header, description = "The id of the last event that the client saw.")
    ),
    responses((status = 200, description = "Events, one JSON object each.", body = String, content_type = "text/event-stream"))
)]
async fn events(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    Path(run): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let run = input::text_id(&run, NO_RUN)?;
    let after = sse::last_event_id(&headers)?;
    // Nothing is read but whether the caller sees the run: a stream has no other way to say 404.
    let found = state.agents.environment.events.after(&principal, run, after, 0).await?;
    found.status.ok_or_else(|| ApiError::not_found(NO_RUN))?;
    let place = state.web.limits.stream(&principal)?;
    let control = &state.agents.environment.control;
    Ok(event_stream::response(control, control.follow(&principal, run, after), place))
}

/// Cancels a run. The status is 202 where the run's host has not ended it yet; a run that is over stays as it is.
#[utoipa::path(
    post,
    path = "/api/agents/runs/{run}/cancel",
    operation_id = "cancel_run",
    tag = "Runs",
    params(("run" = String, Path, description = "The run's id.")),
    responses((status = 200, description = "The run is over", body = CancelledRun), (status = 202, description = "The run goes on until its host ends it", body = CancelledRun))
)]
async fn cancel(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    Path(run): Path<String>,
) -> Result<(StatusCode, Json<CancelledRun>), ApiError> {
    let run = state.agents.environment.control.cancel(&principal, input::text_id(&run, NO_RUN)?).await?;
    let run = run.ok_or_else(|| ApiError::not_found(NO_RUN))?;
    let (answer, is_over) = CancelledRun::of(run);
    Ok((if is_over { StatusCode::OK } else { StatusCode::ACCEPTED }, Json(answer)))
}

/// How an answer is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// All at once.
    Whole,
    /// As events.
    Stream,
}

impl Delivery {
    /// On the platform, an answer that comes all at once is made without tools, so the agent's knowledge bases are searched before the
    /// model is asked. Clients rely on what they get of it.
    fn settle(self, request: &mut RunRequest) -> Result<(), ApiError> {
        if self == Self::Whole && !request.knowledge.runtime.is_empty() {
            return Err(ApiError::bad_request("runtime_knowledge_bases can be given to /run/stream only"));
        }
        request.knowledge.searches_first = self == Self::Whole;
        Ok(())
    }
}

/// A run that a request began, or began when it was sent before.
#[derive(Debug)]
struct BegunRun {
    principal: Arc<Principal>,
    run_id: String,
    is_replay: bool,
}

impl BegunRun {
    fn mark(&self, response: Response) -> Response {
        if self.is_replay { replayed(response) } else { response }
    }
}

/// Begins the run that a body asks for, as the caller or as the user whom the service role names in it. With an idempotency key
/// that began a run already, it is that run.
async fn start(
    state: &AgentsState,
    caller: Arc<Principal>,
    request_id: String,
    key: &IdempotencyKey,
    (agent, delivery): (&str, Delivery),
    body: Value,
) -> Result<BegunRun, ApiError> {
    let agent = agent_id(agent)?;
    let is_acting = body.get("act_as_user").is_some_and(|user| !user.is_null());
    if is_acting {
        // A caller who may not act for others learns that first, whatever else the body holds.
        caller.may_act()?;
    }
    let mut request = RunRequest::read(&body, caller.is_service() && !is_acting)?;
    let principal = match request.act_as_user {
        Some(user) => {
            let claims = request.act_as_claims.take();
            let route = "act_as_user of a run";
            Arc::new(state.web.acting_for(&caller, user, claims, Some(&request_id), route).await?)
        }
        None => caller,
    };
    request.request_id = Some(request_id);
    delivery.settle(&mut request)?;
    let claim = match key.claim(&state.web.idempotency, &principal, &body).await? {
        Known::New(claim) => claim,
        Known::Run(run_id) => return Ok(BegunRun { principal, run_id, is_replay: true }),
        Known::Answered(_) => return Err(ApiError::internal("a run's key has an answer of its own")),
    };
    request.claim = claim;
    let state = state.clone();
    // A task, because a client that goes away while its run waits for a place must not leave its key claimed.
    let begun = async move {
        let started = match state.web.limits.count_run(&principal) {
            Ok(()) => state.agents.starter.start(&principal, agent, request).await.map_err(ApiError::from),
            Err(refused) => Err(refused.into()),
        };
        match started {
            Ok(started) => Ok(BegunRun { principal, run_id: started.run_id, is_replay: false }),
            Err(error) => {
                release(&state.web.idempotency, claim).await;
                Err(error)
            }
        }
    };
    tokio::spawn(begun.in_current_span()).await.unwrap_or_else(|error| Err(ApiError::internal(error)))
}
