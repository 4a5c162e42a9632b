use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::answer::Head;
use super::ask::Ask;
use super::held::Held;
use super::shape::{Refusal, answer};
use super::{model, stream};
use crate::http::ApiError;
use crate::http::extract::{Json, RequestId};
use crate::http::input::{self, Delegable};
use crate::http::runs::until_over;
use crate::http::state::AppState;

/// Runs an agent as the caller. The run ends with the request.
pub(super) async fn complete(
    State(state): State<AppState>,
    Delegable(principal): Delegable,
    RequestId(request_id): RequestId,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Result<Response, Refusal> {
    let Ask { model, mut run, stream, include_usage } = Ask::read(&input::fields(body)?, &headers)?;
    run.request_id = Some(request_id);
    let agent = model::find(&state, &principal, &model).await?;
    let place = stream.then(|| state.limits.stream(&principal)).transpose()?;
    state.limits.count_run(&principal)?;
    let mut held = Held::start(&state.agents, &principal, agent, run).await?;
    let (run_id, session_id) = (held.run().run_id.clone(), held.run().session_id.clone());
    let about = Head { run_id: run_id.clone(), model, created: chrono::Utc::now().timestamp() };
    let mut response = if let Some(place) = place {
        stream::response(state.agents.follow(&principal, &run_id, 0), held, about, include_usage, place)
    } else {
        until_over(&state, &principal, &run_id).await?;
        let run = state.db.run(&principal, &run_id).await?.ok_or(ApiError::NotFound("Run not found"))?;
        held.over();
        match run.status.as_str() {
            "completed" => answer(about.whole(run.content.as_deref().unwrap_or_default(), &run.steps, &run.usage)),
            _ => return Err(ApiError::Run { run_id, error: run.error.unwrap_or_default() }.into()),
        }
    };
    for (name, value) in [("x-behalf-run-id", &run_id), ("x-behalf-session-id", &session_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}
