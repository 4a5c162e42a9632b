//! The route of chat completions.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_web::{ApiError, Delegable, Json, RequestId};
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::answer::{AnswerHead, ChatCompletion};
use super::chat_request::{ChatCompletionBody, ChatCompletionRequest};
use super::refusal::{OpenAiError, Refusal};
use super::run_guard::RunGuard;
use super::{model, stream};
use crate::run::RunFailed;
use crate::state::AgentsState;
use crate::store::RunRow;

/// Runs an agent as the caller, in the form of `OpenAI`'s API. The run ends with the request.
///
/// With `stream` the answer comes as server-sent events: chunks of `chat.completion.chunk`, and `[DONE]` at the end.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    operation_id = "create_chat_completion",
    tag = "OpenAI",
    params(
        ("X-Behalf-Session-Id" = Option<String>, Header, description = "A session of the caller's to go on with.")
    ),
    request_body = ChatCompletionBody,
    responses((status = 200, description = "The answer", body = ChatCompletion), (status = "default", description = "A failure.", body = OpenAiError))
)]
pub(super) async fn complete(
    State(state): State<AgentsState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    let ChatCompletionRequest { model, mut run, stream, include_usage } = ChatCompletionRequest::read(&body, &headers)?;
    run.request_id = Some(request_id);
    let agent = model::find(&state, &principal, &model).await?;
    let place = stream.then(|| state.web.limits.stream(&principal)).transpose()?;
    state.web.limits.count_run(&principal)?;
    let environment = &state.agents.environment;
    let guard = RunGuard::start(&state.agents.starter, &environment.control, &principal, agent, run).await?;
    let started = guard.run().clone();
    let head = AnswerHead { run_id: started.run_id.clone(), model, created: chrono::Utc::now().timestamp() };
    let mut response = if let Some(place) = place {
        let reader = environment.control.follow(&principal, &started.run_id, 0);
        stream::response(reader, guard, head, include_usage, place)
    } else {
        environment.control.until_over(&principal, &started.run_id).await?;
        let run = environment.runs.find(&principal, &started.run_id).await?;
        whole(head, run.ok_or_else(|| ApiError::not_found("Run not found"))?, guard)?
    };
    name_run(&mut response, &started.run_id, &started.session_id);
    Ok(response)
}

/// The whole answer of a run that is over.
fn whole(head: AnswerHead, run: RunRow, mut guard: RunGuard) -> Result<Response, Refusal> {
    guard.disarm();
    if run.status != "completed" {
        return Err(RunFailed { run_id: run.run_id, error: run.error.unwrap_or_default() }.into());
    }
    Ok(Json(head.whole(run.content.unwrap_or_default(), &run.steps, &run.usage)).into_response())
}

/// Names the run and its session in headers.
fn name_run(response: &mut Response, run_id: &str, session_id: &str) {
    for (name, value) in [("x-behalf-run-id", run_id), ("x-behalf-session-id", session_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
}
