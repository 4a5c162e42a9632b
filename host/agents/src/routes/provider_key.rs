//! Routes of agents' own keys for model providers. No answer ever holds a key.

use axum::extract::State;
use behalf_models::ApiKey;
use behalf_web::{Administrator, ApiError, Json, Path, Routes, ServiceCaller, input, routes};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{NO_AGENT, agent_id};
use crate::state::AgentsState;
use crate::store::{NewProviderKey, ProviderKeyRow};

const NO_KEY: &str = "Provider key not found";

/// Longest key that is taken: it has to fit into a header.
const MAX_KEY_BYTES: usize = 4_096;

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list, store)).routes(routes!(delete))
}

/// An agent's keys, without the keys themselves.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderKeyList {
    /// In order of their providers.
    provider_keys: Vec<ProviderKeyRow>,
}

/// A key to store.
#[derive(Deserialize, ToSchema)]
struct StoreProviderKey {
    /// `openai`, `anthropic`, `gemini` or `ollama`.
    #[schema(value_type = String, required = true)]
    provider: Option<String>,
    /// The key.
    #[schema(value_type = String, required = true, write_only)]
    api_key: Option<String>,
    /// The only address that the key is sent to; the provider's public endpoint where absent.
    base_url: Option<String>,
}

/// Lists an agent's keys, without the keys themselves.
#[utoipa::path(
    get,
    path = "/api/agents/{agent}/provider-keys",
    operation_id = "list_provider_keys",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    responses((status = 200, description = "The keys, without the keys themselves", body = ProviderKeyList))
)]
async fn list(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<ProviderKeyList>, ApiError> {
    let agent = agent_id(&agent)?;
    state.agents.store.find(&principal, agent).await?.ok_or_else(|| ApiError::not_found(NO_AGENT))?;
    Ok(Json(ProviderKeyList { provider_keys: state.agents.provider_keys.list(&principal, agent).await? }))
}

/// Stores a key, in place of an earlier one for the same agent and provider.
#[utoipa::path(
    post,
    path = "/api/agents/{agent}/provider-keys",
    operation_id = "store_provider_key",
    tag = "Agents",
    params(("agent" = Uuid, Path, description = "The agent's id.")),
    request_body = StoreProviderKey,
    responses((status = 201, description = "The key, without the key itself", body = ProviderKeyRow))
)]
async fn store(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path(agent): Path<String>,
    Json(body): Json<StoreProviderKey>,
) -> Result<(StatusCode, Json<ProviderKeyRow>), ApiError> {
    let agent_id = agent_id(&agent)?;
    let provider = body.provider.ok_or_else(|| ApiError::bad_request("provider is required"))?;
    let api_key = check_key(body.api_key)?;
    let base_url = body.base_url;
    state.agents.access.check(&provider, base_url.as_deref()).await?;
    let new = NewProviderKey { agent_id, provider, api_key, base_url };
    Ok((StatusCode::CREATED, Json(state.agents.provider_keys.store(admin.act(), &new).await?)))
}

/// Deletes a key.
#[utoipa::path(
    delete,
    path = "/api/agents/{agent}/provider-keys/{provider}",
    operation_id = "delete_provider_key",
    tag = "Agents",
    params(
        ("agent" = Uuid, Path, description = "The agent's id."),
        ("provider" = String, Path, description = "The provider.")
    ),
    responses((status = 204, description = "It is deleted"))
)]
async fn delete(
    State(state): State<AgentsState>,
    admin: Administrator,
    Path((agent, provider)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (agent, provider) = (input::id(&agent, NO_KEY)?, input::text_id(&provider, NO_KEY)?);
    let deleted = state.agents.provider_keys.delete(admin.act(), agent, provider).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::not_found(NO_KEY)) }
}

fn check_key(key: Option<String>) -> Result<ApiKey, ApiError> {
    let key = key.ok_or_else(|| ApiError::bad_request("api_key is required"))?;
    let text = key.trim();
    if text.is_empty() || text.len() > MAX_KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(ApiError::bad_request("api_key must be the provider's key: printable characters without spaces"));
    }
    Ok(ApiKey::new(text))
}
