//! The secrets of a plugin. Only the service role manages them, and no answer ever holds a value.

use axum::extract::State;
use behalf_web::{Administrator, ApiError, Json, Path, ServiceCaller, input};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::state::ToolsState;
use crate::plugin_secrets::{self, PluginSecretList};

const NO_PLUGIN: &str = "Plugin not found";
const NO_SECRET: &str = "Secret not found";

/// A secret that the plugin's grants name, without its value.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginSecret {
    /// Its name.
    name: String,
    /// The one host that gets it.
    host: String,
    /// The header that carries it.
    header: String,
    /// The header's value with `{secret}` in the place of the secret.
    form: String,
    /// The end of its value, to tell it from others; null where it has none, or where that would be much of it.
    last_four: Option<String>,
    /// When its value was set, RFC 3339; null where it has none, so that requests to its host fail.
    set_at: Option<String>,
}

/// The secrets of a plugin, without their values.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PluginSecretsAnswer {
    /// Those that its grants name, in their order.
    secrets: Vec<PluginSecret>,
    /// Names of stored values that no request gets: the grants do not name them any more, or for another host.
    unused: Vec<String>,
}

/// The value of a secret.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SecretValue {
    /// The value: 8 to 4096 printable characters without spaces.
    #[schema(value_type = String, required = true, write_only)]
    value: Option<String>,
}

impl From<plugin_secrets::PluginSecret> for PluginSecret {
    fn from(secret: plugin_secrets::PluginSecret) -> Self {
        let plugin_secrets::PluginSecret { name, host, header, form, last_four, set_at } = secret;
        Self { name, host, header, form, last_four, set_at }
    }
}

impl From<PluginSecretList> for PluginSecretsAnswer {
    fn from(list: PluginSecretList) -> Self {
        Self { secrets: list.secrets.into_iter().map(PluginSecret::from).collect(), unused: list.unused }
    }
}

/// Lists the secrets of a plugin, without their values.
#[utoipa::path(
    get,
    path = "/api/plugins/{id}/secrets",
    operation_id = "list_plugin_secrets",
    tag = "Plugins",
    params(("id" = Uuid, Path, description = "The plugin's id")),
    responses((status = 200, description = "The secrets, without their values", body = PluginSecretsAnswer)),
)]
pub(super) async fn list(
    State(state): State<ToolsState>,
    _service: ServiceCaller,
    Path(id): Path<String>,
) -> Result<Json<PluginSecretsAnswer>, ApiError> {
    Ok(Json(state.tools.plugin_secrets.list(input::id(&id, NO_PLUGIN)?).await?.into()))
}

/// Sets the value of a secret, in place of an earlier one. It goes to the host that the grants name now, and to no other.
#[utoipa::path(
    put,
    path = "/api/plugins/{id}/secrets/{secret}",
    operation_id = "set_plugin_secret",
    tag = "Plugins",
    params(
        ("id" = Uuid, Path, description = "The plugin's id"),
        ("secret" = String, Path, description = "The secret's name")
    ),
    request_body = SecretValue,
    responses((status = 200, description = "The secret, without its value", body = PluginSecret)),
)]
pub(super) async fn set(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path((id, secret)): Path<(String, String)>,
    Json(body): Json<SecretValue>,
) -> Result<Json<PluginSecret>, ApiError> {
    let (id, name) = (input::id(&id, NO_PLUGIN)?, input::text_id(&secret, NO_SECRET)?);
    let value = body.value.ok_or_else(|| ApiError::bad_request("value is required"))?;
    // Values that were read from files often end with a line break.
    Ok(Json(state.tools.plugin_secrets.set(admin.act(), id, name, value.trim()).await?.into()))
}

/// Deletes the value of a secret. Requests to its host fail until it has one again.
#[utoipa::path(
    delete,
    path = "/api/plugins/{id}/secrets/{secret}",
    operation_id = "delete_plugin_secret",
    tag = "Plugins",
    params(
        ("id" = Uuid, Path, description = "The plugin's id"),
        ("secret" = String, Path, description = "The secret's name")
    ),
    responses((status = 204, description = "It is deleted")),
)]
pub(super) async fn remove(
    State(state): State<ToolsState>,
    admin: Administrator,
    Path((id, secret)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (id, name) = (input::id(&id, NO_PLUGIN)?, input::text_id(&secret, NO_SECRET)?);
    state.tools.plugin_secrets.delete(admin.act(), id, name).await?;
    Ok(StatusCode::NO_CONTENT)
}
