use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, Json, Path, RequestId};
use super::idempotency::IdempotencyKey;
use super::routes::Routes;
use super::state::AppState;
use crate::tools::{CallContext, ToolInfo};

pub(super) fn router() -> Routes {
    Routes::new().get("/api/tools", list).get("/api/tools/{name}", show).post("/api/tools/{name}/call", call)
}

/// The result is the tool's own text; parsing it again would only cost time.
#[derive(Debug, Serialize)]
struct CallAnswer {
    result: Box<RawValue>,
    call_id: Uuid,
    duration_ms: f64,
}

#[derive(Debug, Deserialize)]
struct CallBody {
    #[serde(default)]
    arguments: Option<Value>,
}

async fn list(State(state): State<AppState>, _caller: Caller) -> Json<Value> {
    let tools: Vec<_> = state.tools.list().iter().map(as_platform).collect();
    Json(json!({ "tools": tools }))
}

async fn show(
    State(state): State<AppState>,
    _caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    state.tools.get(&name).map(|tool| Json(as_platform(&tool))).ok_or(ApiError::NotFound("Tool not found"))
}

/// The platform's shape: built-in tools have no id and no config.
fn as_platform(tool: &ToolInfo) -> Value {
    json!({
        "id": null, "type": "wasm", "name": tool.name, "title": tool.title, "description": tool.description,
        "input_schema": tool.input_schema, "output_schema": tool.output_schema, "annotations": tool.annotations,
        "plugin": tool.plugin, "config": {},
    })
}

async fn call(
    State(state): State<AppState>,
    Caller(principal): Caller,
    RequestId(request_id): RequestId,
    key: IdempotencyKey,
    Path(name): Path<String>,
    Json(body): Json<CallBody>,
) -> Result<Response, ApiError> {
    let arguments = body.arguments.unwrap_or_else(|| json!({}));
    let asked = if key.is_given() { arguments.clone() } else { Value::Null };
    let context = CallContext { request_id: Some(request_id), ..CallContext::default() };
    let (tools, caller) = (Arc::clone(&state.tools), Arc::clone(&principal));
    let call = async move {
        let outcome = tools.call(&caller, &name, arguments, context, None).await?;
        let duration_ms = outcome.duration.as_secs_f64() * 1000.0;
        Ok(Json(CallAnswer { result: outcome.result, call_id: outcome.call_id, duration_ms }).into_response())
    };
    key.once(&state, &principal, &asked, call).await
}
