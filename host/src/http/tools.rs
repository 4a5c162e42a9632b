use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{Caller, Json, Path, RequestId, ServiceCaller};
use super::idempotency::IdempotencyKey;
use super::input::{fields, text};
use super::routes::Routes;
use super::state::AppState;
use crate::db::{CustomToolChange, CustomToolRow};
use crate::tools::{CallContext, ToolInfo, ToolKind};

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/tools", list)
        .post("/api/tools", create)
        .get("/api/tools/{name}", show)
        .put("/api/tools/{name}", change)
        .delete("/api/tools/{name}", remove)
        .post("/api/tools/{name}/call", call)
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

/// Everybody sees what there is; where a custom tool leads, the service role alone.
async fn list(State(state): State<AppState>, Caller(principal): Caller) -> Json<Value> {
    let one = |tool: &ToolInfo| match state.tools.custom_row(&tool.name) {
        Some(row) if principal.is_service() && tool.kind == ToolKind::Http => as_row(&row),
        _ => as_platform(tool),
    };
    let tools: Vec<_> = state.tools.list().iter().map(one).collect();
    Json(json!({ "tools": tools }))
}

/// By name for everybody, by id for the service role.
async fn show(
    State(state): State<AppState>,
    Caller(principal): Caller,
    Path(name): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let Ok(id) = Uuid::try_parse(&name) else {
        return state.tools.get(&name).map(|tool| Json(as_platform(&tool))).ok_or(NOT_FOUND);
    };
    if !principal.is_service() {
        return Err(ApiError::Forbidden("This endpoint requires the project's service role key".to_owned()));
    }
    Ok(Json(as_row(&state.tools.custom_tool(id).await?)))
}

async fn create(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let row = state.tools.create_custom_tool(read_change(&fields(body)?)?).await?;
    Ok((StatusCode::CREATED, Json(as_row(&row))))
}

async fn change(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Result<Json<Value>, ApiError> {
    let row = state.tools.change_custom_tool(tool_id(&id)?, read_change(&fields(body)?)?).await?;
    Ok(Json(json!({ "id": row.id, "name": row.name })))
}

async fn remove(
    State(state): State<AppState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    state.tools.delete_custom_tool(tool_id(&id)?).await?;
    Ok(Json(json!({ "deleted": true })))
}

const NOT_FOUND: ApiError = ApiError::NotFound("Tool not found");

fn tool_id(text: &str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(text).map_err(|_| NOT_FOUND)
}

fn read_change(fields: &Map<String, Value>) -> Result<CustomToolChange, ApiError> {
    let json = |name: &str| fields.get(name).filter(|value| !value.is_null()).cloned();
    Ok(CustomToolChange {
        name: text(fields, "name")?,
        description: text(fields, "description")?,
        kind: text(fields, "type")?,
        input_schema: json("input_schema"),
        config: json("config"),
    })
}

/// The platform's shape: built-in tools have no id, and settings are not shown.
fn as_platform(tool: &ToolInfo) -> Value {
    json!({
        "id": tool.id, "type": tool.kind, "name": tool.name, "title": tool.title, "description": tool.description,
        "input_schema": tool.input_schema, "output_schema": tool.output_schema, "annotations": tool.annotations,
        "plugin": tool.plugin, "config": {},
    })
}

/// The platform's row of a custom tool.
fn as_row(tool: &CustomToolRow) -> Value {
    json!({
        "id": tool.id, "type": tool.kind, "name": tool.name, "description": tool.description,
        "input_schema": tool.input_schema, "config": tool.config,
        "created_at": tool.created_at, "updated_at": tool.updated_at,
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
