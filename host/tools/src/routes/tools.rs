//! Tools: the list, one tool, custom tools, and calls.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_contracts::{CallContext, CallOutcome, ToolCallError, ToolInfo, ToolKind};
use behalf_schema::{InexactError, Unchecked, read_exact, unchecked};
use behalf_web::{
    Administrator, AnyJson, ApiError, Caller, ClientAddress, IdempotencyKey, Json, Path, RequestId, input,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::state::{Deleted, ToolsState};
use crate::store::{CustomToolChange, CustomToolRow};

const NOT_FOUND: &str = "Tool not found";

/// A tool as callers see it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tool {
    /// The id of a custom tool; other tools have none.
    id: Option<Uuid>,
    #[serde(rename = "type")]
    kind: ToolKind,
    /// Its name, unique on the host.
    name: String,
    /// Its name for people.
    title: Option<String>,
    /// Its description, for models.
    description: String,
    /// JSON Schema of its arguments.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// JSON Schema of its result.
    #[schema(value_type = Option<Object>)]
    output_schema: Option<Value>,
    /// `readOnlyHint`, `destructiveHint`, `idempotentHint`, `openWorldHint`.
    #[schema(value_type = Object)]
    annotations: Value,
    /// The plugin it belongs to.
    plugin: Option<String>,
    /// Always empty: only the service role sees the settings of a custom tool.
    #[schema(value_type = Object)]
    config: Map<String, Value>,
}

/// A custom tool with its settings, as the service role sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CustomTool {
    id: Uuid,
    /// The operator's word for its kind.
    #[serde(rename = "type")]
    kind: String,
    /// Its name, unique on the host.
    name: String,
    /// Its description, for models.
    description: String,
    /// JSON Schema of its arguments.
    #[schema(value_type = Object)]
    input_schema: Value,
    /// Where and how it is called.
    #[schema(value_type = Object)]
    config: Value,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
    /// The parts of its schema that arguments are not checked against, where it was just created: `pointer` and `reason` of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    unchecked: Vec<Unchecked>,
}

/// A tool of the list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ListedTool {
    /// As every caller sees it.
    Tool(Tool),
    /// A custom tool, as the service role sees it.
    Custom(CustomTool),
}

/// Every tool that can be called, in order of names.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToolList {
    tools: Vec<ListedTool>,
}

/// The fields of a custom tool. All but `config` are required to create one; a change keeps the fields that are absent.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct CustomToolFields {
    /// `[a-zA-Z][a-zA-Z0-9_-]{0,63}`, unique on the host.
    name: Option<String>,
    /// Its description, for models.
    #[schema(max_length = 4096)]
    description: Option<String>,
    /// The operator's word for its kind.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// JSON Schema of its arguments.
    #[schema(value_type = Option<Object>)]
    input_schema: Option<Value>,
    /// `endpoint`, `method`, `headers`, `timeout_seconds`, `identity` and `read_only`; replaced as a whole.
    #[schema(value_type = Option<Object>)]
    config: Option<Value>,
}

/// A custom tool that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChangedTool {
    id: Uuid,
    name: String,
}

/// The arguments of a call. A field of another name is refused: a tool that can do without arguments would run with none of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolCallRequest {
    /// The arguments, which have to fit the tool's schema; an empty object where absent.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    arguments: Option<Box<RawValue>>,
}

impl ToolCallRequest {
    /// The arguments, if no number in them would be rounded.
    fn arguments(self) -> Result<Value, ApiError> {
        let Some(given) = self.arguments else { return Ok(json!({})) };
        read_exact(given.get()).map_err(|error| match error {
            InexactError::Number(fault) => ToolCallError::Arguments(vec![fault]).into(),
            InexactError::Json(error) => ApiError::bad_request(format!("the body is not JSON: {error}")),
        })
    }
}

/// The result of a call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ToolCallResult {
    /// The tool's JSON. It is sent as the tool wrote it, because parsing it again would only cost time.
    #[schema(value_type = Value)]
    result: Box<RawValue>,
    /// The call, as in the audit log.
    call_id: Uuid,
    /// From the request to the commit.
    duration_ms: f64,
}

impl From<ToolInfo> for Tool {
    fn from(tool: ToolInfo) -> Self {
        Self {
            id: tool.id,
            kind: tool.kind,
            name: tool.name,
            title: tool.title,
            description: tool.description,
            input_schema: tool.input_schema,
            output_schema: tool.output_schema,
            annotations: tool.annotations,
            plugin: tool.plugin,
            config: Map::new(),
        }
    }
}

impl From<CustomToolRow> for CustomTool {
    fn from(tool: CustomToolRow) -> Self {
        Self {
            id: tool.id,
            kind: tool.kind,
            name: tool.name,
            description: tool.description,
            input_schema: tool.input_schema,
            config: tool.config,
            created_at: tool.created_at,
            updated_at: tool.updated_at,
            unchecked: Vec::new(),
        }
    }
}

impl From<CustomToolFields> for CustomToolChange {
    fn from(fields: CustomToolFields) -> Self {
        let CustomToolFields { name, description, kind, input_schema, config } = fields;
        Self { name, description, kind, input_schema, config }
    }
}

impl From<CallOutcome> for ToolCallResult {
    fn from(outcome: CallOutcome) -> Self {
        let duration_ms = outcome.duration.as_secs_f64() * 1000.0;
        Self { result: outcome.result, call_id: outcome.call_id, duration_ms }
    }
}

/// Lists the tools that can be called. The service role sees the settings of custom tools.
#[utoipa::path(
    get,
    path = "/api/tools",
    operation_id = "list_tools",
    tag = "Tools",
    responses((status = 200, description = "The tools", body = ToolList)),
)]
pub(super) async fn list(State(state): State<ToolsState>, Caller(principal): Caller) -> Json<ToolList> {
    let settings = |tool: &ToolInfo| match tool.kind {
        ToolKind::Http if principal.is_service() => state.tools.custom_tools.by_name(&tool.name),
        _ => None,
    };
    let listed = |tool: ToolInfo| match settings(&tool) {
        Some(row) => ListedTool::Custom(row.into()),
        None => ListedTool::Tool(tool.into()),
    };
    Json(ToolList { tools: state.tools.list().into_iter().map(listed).collect() })
}

/// Shows a tool: by its name to everybody, a custom tool by its id to the service role.
#[utoipa::path(
    get,
    path = "/api/tools/{name}",
    operation_id = "show_tool",
    tag = "Tools",
    params(("name" = String, Path, description = "The tool's name, or the id of a custom tool")),
    responses((status = 200, description = "The tool", body = ListedTool)),
)]
pub(super) async fn show(
    State(state): State<ToolsState>,
    Caller(principal): Caller,
    Path(name): Path<String>,
) -> Result<Json<ListedTool>, ApiError> {
    let Ok(id) = Uuid::try_parse(&name) else {
        let tool = state.tools.registry.get(&name).ok_or_else(|| ApiError::not_found(NOT_FOUND))?;
        return Ok(Json(ListedTool::Tool(tool.into())));
    };
    if !principal.is_service() {
        return Err(ApiError::forbidden("This endpoint requires the project's service role key"));
    }
    Ok(Json(ListedTool::Custom(state.tools.custom_tools.get(id).await?.into())))
}

/// Creates a custom tool.
#[utoipa::path(
    post,
    path = "/api/tools",
    operation_id = "create_tool",
    tag = "Tools",
    request_body = CustomToolFields,
    responses((status = 201, description = "The custom tool", body = CustomTool)),
)]
pub(super) async fn create(
    State(state): State<ToolsState>,
    admin: Administrator,
    Json(fields): Json<CustomToolFields>,
) -> Result<(StatusCode, Json<CustomTool>), ApiError> {
    let row = state.tools.custom_tools.create(admin.act(), fields.into()).await?;
    let unchecked = unchecked(&row.input_schema);
    Ok((StatusCode::CREATED, Json(CustomTool { unchecked, ..row.into() })))
}

/// Changes a custom tool.
#[utoipa::path(
    put,
    path = "/api/tools/{name}",
    operation_id = "change_tool",
    tag = "Tools",
    params(("name" = String, Path, description = "The id of the custom tool")),
    request_body = CustomToolFields,
    responses((status = 200, description = "The custom tool", body = ChangedTool)),
)]
pub(super) async fn change(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path(id): Path<String>,
    Json(fields): Json<CustomToolFields>,
) -> Result<Json<ChangedTool>, ApiError> {
    let row = state.tools.custom_tools.change(admin.act(), input::id(&id, NOT_FOUND)?, fields.into()).await?;
    Ok(Json(ChangedTool { id: row.id, name: row.name }))
}

/// Deletes a custom tool, also from agents.
#[utoipa::path(
    delete,
    path = "/api/tools/{name}",
    operation_id = "delete_tool",
    tag = "Tools",
    params(("name" = String, Path, description = "The id of the custom tool")),
    responses((status = 200, description = "It is deleted", body = Deleted)),
)]
pub(super) async fn remove(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    state.tools.custom_tools.delete(admin.act(), input::id(&id, NOT_FOUND)?).await?;
    Ok(Json(Deleted::DONE))
}

/// Calls a tool as the caller. With an `Idempotency-Key` the call is made once, and a repeated request gets the first answer.
#[utoipa::path(
    post,
    path = "/api/tools/{name}/call",
    operation_id = "call_tool",
    tag = "Tools",
    params(
        ("name" = String, Path, description = "The tool's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable characters"),
    ),
    request_body = ToolCallRequest,
    responses((status = 200, description = "The result", body = ToolCallResult)),
)]
pub(super) async fn call(
    State(state): State<ToolsState>,
    Caller(principal): Caller,
    RequestId(request_id): RequestId,
    ClientAddress(client): ClientAddress,
    key: IdempotencyKey,
    Path(name): Path<String>,
    AnyJson(body): AnyJson<ToolCallRequest>,
) -> Result<Response, ApiError> {
    let arguments = body.arguments()?;
    let asked = if key.is_given() { arguments.clone() } else { Value::Null };
    let context = CallContext { request_id: Some(request_id), client, ..CallContext::default() };
    let (tools, caller) = (state.tools.caller.clone(), principal.clone());
    let call = Box::pin(async move {
        let outcome = tools.call(&caller, &name, arguments, context, None).await?;
        Ok(Json(ToolCallResult::from(outcome)).into_response())
    });
    key.once(&state.web.idempotency, &principal, &asked, call).await
}
