//! The route of chat completions.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_web::{ApiError, Delegable, IdempotencyKey, Json, RequestId, StreamPlace, replayed};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::answer::{AnswerHead, ChatCompletion};
use super::chat_request::{ChatCompletionBody, ChatCompletionRequest, SESSION_HEADER};
use super::refusal::{OpenAiError, Refusal};
use super::waited_run::{Sent, WaitedRun};
use super::{model, stream};
use crate::routes::IdempotencyHeader;
use crate::run::RunFailed;
use crate::state::AgentsState;
use crate::store::RunRow;

/// Runs an agent as the caller, in the form of `OpenAI`'s API.
///
/// With `stream` the answer comes as server-sent events: chunks of `chat.completion.chunk`, and `[DONE]` at the end. The same request
/// gets the same run where its connection broke a moment ago, and with the same `Idempotency-Key` at any time. Without a key, the run
/// ends some seconds after its client went away.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "create_chat_completion",
    tag = "OpenAI",
    params(
        ("X-Behalf-Session-Id" = Option<String>, Header, description = "A session of the caller's to go on with."),
        IdempotencyHeader
    ),
    request_body = ChatCompletionBody,
    responses((status = 200, description = "The answer", body = ChatCompletion), (status = "default", description = "A failure.", body = OpenAiError))
)]
pub(super) async fn complete(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    let ChatCompletionRequest { model, mut run, stream, include_usage } = ChatCompletionRequest::read(&body, &headers)?;
    run.request_id = Some(request_id);
    let agent = model::find(&state, &principal, &model).await?;
    let place = stream.then(|| state.web.limits.stream(&principal)).transpose()?;
    let session = headers.get(SESSION_HEADER).and_then(|session| session.to_str().ok()).unwrap_or_default();
    let sent = Sent { key, body, session: session.to_owned() };
    let waited = WaitedRun::begin(state.clone(), principal, agent, run, sent).await?;
    let (run_id, session_id) = (waited.run_id().to_owned(), waited.session_id().to_owned());
    let is_repeat = waited.is_repeat();
    let head = AnswerHead { run_id: run_id.clone(), model, created: chrono::Utc::now().timestamp() };
    let mut response = match place {
        Some(place) => streamed(&state, waited, head, include_usage, place),
        None => whole(&state, waited, head).await.into_response(),
    };
    name_run(&mut response, &run_id, &session_id);
    Ok(if is_repeat { replayed(response) } else { response })
}

fn streamed(
    state: &AgentsState,
    waited: WaitedRun,
    head: AnswerHead,
    include_usage: bool,
    place: StreamPlace,
) -> Response {
    let control = &state.agents.environment.control;
    let reader = control.follow(waited.principal(), waited.run_id(), 0);
    stream::response(control, reader, waited, head, include_usage, place)
}

/// The whole answer of a run, once it is over.
async fn whole(state: &AgentsState, mut waited: WaitedRun, head: AnswerHead) -> Result<Json<ChatCompletion>, Refusal> {
    let control = &state.agents.environment.control;
    let run = match control.ended(waited.principal(), waited.run_id()).await {
        Ok(run) => run.ok_or_else(|| ApiError::not_found("Run not found"))?,
        Err(reason) => return Err(Refusal::goes_on(waited.goes_on(reason).await)),
    };
    waited.answered();
    let RunRow { run_id, status, content, error, error_reason, steps, usage, .. } = run;
    if status != "completed" {
        return Err(Refusal::failed(RunFailed { run_id, error: error.unwrap_or_default(), reason: error_reason }));
    }
    Ok(Json(head.whole(content.unwrap_or_default(), &steps, &usage)))
}

/// Names the run and its session in headers.
fn name_run(response: &mut Response, run_id: &str, session_id: &str) {
    for (name, value) in [("x-behalf-run-id", run_id), ("x-behalf-session-id", session_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
}
