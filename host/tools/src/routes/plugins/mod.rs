//! Plugins. Only the service role manages them.

mod form;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use behalf_contracts::{ToolInfo, ToolKind};
use behalf_schema::{Unchecked, unchecked};
use behalf_web::{Administrator, ApiError, Json, Path, Query, ServiceCaller, input};
use http::{StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use self::form::{UploadForm, read_form, too_large};
use super::state::{Deleted, ToolsState};
use crate::installer::Upload;
use crate::plugin::PluginInfo;
use crate::signature::Envelope;
use crate::store::PluginChange;

const NOT_FOUND: &str = "Plugin not found";

/// How to register an upload. A multipart field of the same name replaces a parameter.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UploadQuery {
    /// The plugin's name, `[a-z][a-z0-9-]{0,63}`; where absent, the signed name or that of its first tool.
    name: Option<String>,
    /// Its version.
    version: Option<String>,
    /// Replace a plugin of the same name, which keeps its id and settings.
    #[serde(default)]
    replace: bool,
}

/// The fields of a plugin to change; absent fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PluginFields {
    /// What it may do, replaced as a whole.
    #[schema(value_type = Option<Object>)]
    grants: Option<Value>,
    /// Whether its tools can be called.
    enabled: Option<bool>,
    /// Values for it, replaced as a whole.
    #[schema(value_type = Option<Object>)]
    settings: Option<Value>,
}

/// A tool of a plugin.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginTool {
    /// Always `wasm`.
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
    /// Whether it says that it changes nothing.
    read_only: bool,
    /// The plugin it belongs to.
    plugin: Option<String>,
    /// The parts of its schema that arguments are not checked against, where it was just uploaded: `pointer` and `reason` of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    unchecked: Vec<Unchecked>,
}

/// A plugin.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plugin {
    id: Uuid,
    /// Its name, unique.
    name: String,
    /// Its version.
    version: String,
    /// SHA-256 of the component, in hexadecimal.
    digest: String,
    /// Whether its tools can be called.
    enabled: bool,
    /// Whether it came with the host.
    bundled: bool,
    /// The trusted key that signed it when it was uploaded.
    signer: Option<String>,
    /// Why its tools are not served although it is enabled: its signature is not sufficient on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// The interfaces it imports: the most that it could do.
    #[schema(value_type = Vec<Object>)]
    imports: Value,
    tools: Vec<PluginTool>,
    /// What it may do.
    #[schema(value_type = Object)]
    grants: Value,
    /// What its version asks for beyond `grants`: the grants of its manifest. A PATCH of `grants` answers it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    requested: Option<Value>,
    /// Values for it.
    #[schema(value_type = Object)]
    settings: Value,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339.
    updated_at: String,
}

/// Every plugin, in order of names.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginList {
    plugins: Vec<Plugin>,
    /// Names of plugins of the host's own that were deleted.
    removed: Vec<String>,
}

/// A plugin of the host's own to register again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RestoreRequest {
    /// Its name, as in `removed`.
    name: String,
}

impl From<ToolInfo> for PluginTool {
    fn from(tool: ToolInfo) -> Self {
        Self {
            kind: tool.kind,
            name: tool.name,
            title: tool.title,
            description: tool.description,
            input_schema: tool.input_schema,
            output_schema: tool.output_schema,
            annotations: tool.annotations,
            read_only: tool.effects.read_only(),
            plugin: tool.plugin,
            unchecked: Vec::new(),
        }
    }
}

impl From<PluginInfo> for Plugin {
    fn from(plugin: PluginInfo) -> Self {
        Self {
            id: plugin.id,
            name: plugin.name,
            version: plugin.version,
            digest: plugin.digest,
            enabled: plugin.enabled,
            bundled: plugin.bundled,
            signer: plugin.signer,
            refused: plugin.refused,
            imports: plugin.imports,
            tools: plugin.tools.into_iter().map(PluginTool::from).collect(),
            grants: plugin.grants,
            requested: plugin.requested,
            settings: plugin.settings,
            created_at: plugin.created_at,
            updated_at: plugin.updated_at,
        }
    }
}

/// Registers a plugin. The body is the component itself, or a form with the component, its grants and its signature.
#[utoipa::path(
    post,
    path = "/api/plugins",
    operation_id = "upload_plugin",
    tag = "Plugins",
    params(UploadQuery),
    request_body(content(("application/wasm"), (UploadForm = "multipart/form-data"))),
    responses((status = 201, description = "The plugin", body = Plugin)),
)]
pub(super) async fn upload(
    State(state): State<ToolsState>,
    admin: Administrator,
    Query(query): Query<UploadQuery>,
    request: Request,
) -> Result<(StatusCode, Json<Plugin>), ApiError> {
    let (upload, signature) = read_upload(query, request).await?;
    let plugin = state.tools.installer.register_signed(admin.act(), upload, signature.as_ref()).await?;
    let mut plugin = Plugin::from(plugin);
    for tool in &mut plugin.tools {
        tool.unchecked = unchecked(&tool.input_schema);
    }
    Ok((StatusCode::CREATED, Json(plugin)))
}

async fn read_upload(query: UploadQuery, request: Request) -> Result<(Upload, Option<Envelope>), ApiError> {
    let UploadQuery { name, version, replace } = query;
    let mut upload = Upload { component: Vec::new(), grants: json!({}), name, version, replace };
    let mut signature = None;
    let content_type = request.headers().get(header::CONTENT_TYPE);
    if content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/")) {
        read_form(request, &mut upload, &mut signature).await?;
    } else {
        let body = Bytes::from_request(request, &()).await.map_err(|error| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => ApiError::bad_request("the body was cut off"),
        })?;
        upload.component = body.into();
    }
    if upload.component.is_empty() {
        return Err(ApiError::bad_request("there is no component; send it as the body, or as the field `component`"));
    }
    Ok((upload, signature))
}

/// Lists every plugin, also those that are switched off.
#[utoipa::path(
    get,
    path = "/api/plugins",
    operation_id = "list_plugins",
    tag = "Plugins",
    responses((status = 200, description = "The plugins", body = PluginList)),
)]
pub(super) async fn list(
    State(state): State<ToolsState>,
    _service: ServiceCaller,
) -> Result<Json<PluginList>, ApiError> {
    let removed = state.tools.installer.removed().await?;
    Ok(Json(PluginList { plugins: state.tools.registry.plugins().into_iter().map(Plugin::from).collect(), removed }))
}

/// Registers a plugin of the host's own again that was deleted, with the grants that it asks for.
#[utoipa::path(
    post,
    path = "/api/plugins/restore",
    operation_id = "restore_plugin",
    tag = "Plugins",
    request_body = RestoreRequest,
    responses((status = 200, description = "The plugin", body = Plugin)),
)]
pub(super) async fn restore(
    State(state): State<ToolsState>,
    admin: Administrator,
    Json(request): Json<RestoreRequest>,
) -> Result<Json<Plugin>, ApiError> {
    Ok(Json(state.tools.installer.restore(admin.act(), &request.name).await?.into()))
}

/// Shows a plugin.
#[utoipa::path(
    get,
    path = "/api/plugins/{id}",
    operation_id = "show_plugin",
    tag = "Plugins",
    params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 200, description = "The plugin", body = Plugin)),
)]
pub(super) async fn show(
    State(state): State<ToolsState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
) -> Result<Json<Plugin>, ApiError> {
    let plugin = state.tools.registry.plugin(input::id(&id, NOT_FOUND)?);
    plugin.map(|plugin| Json(plugin.into())).ok_or_else(|| ApiError::not_found(NOT_FOUND))
}

/// Changes grants or settings of a plugin, or switches it on or off.
#[utoipa::path(
    patch,
    path = "/api/plugins/{id}",
    operation_id = "change_plugin",
    tag = "Plugins",
    params(("id" = String, Path, description = "The plugin's id")),
    request_body = PluginFields,
    responses((status = 200, description = "The plugin", body = Plugin)),
)]
pub(super) async fn change(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path(id): Path<String>,
    Json(fields): Json<PluginFields>,
) -> Result<Json<Plugin>, ApiError> {
    let PluginFields { grants, enabled, settings } = fields;
    let change = PluginChange { grants, enabled, settings };
    Ok(Json(state.tools.installer.change(admin.act(), input::id(&id, NOT_FOUND)?, change).await?.into()))
}

/// Deletes a plugin and its tools.
#[utoipa::path(
    delete,
    path = "/api/plugins/{id}",
    operation_id = "delete_plugin",
    tag = "Plugins",
    params(("id" = String, Path, description = "The plugin's id")),
    responses((status = 200, description = "It is deleted", body = Deleted)),
)]
pub(super) async fn remove(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path(id): Path<String>,
) -> Result<Json<Deleted>, ApiError> {
    state.tools.installer.delete(admin.act(), input::id(&id, NOT_FOUND)?).await?;
    Ok(Json(Deleted::DONE))
}
