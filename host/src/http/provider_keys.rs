//! Agents' own keys for model providers. No answer ever holds a key.

use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::error::ApiError;
use super::extract::{Json, Path, RequestId, ServiceCaller};
use super::input;
use super::routes::Routes;
use super::state::AppState;
use crate::config::Secret;
use crate::db::{NewProviderKey, ProviderKeyError, ProviderKeyRow};
use crate::models::{Access, ApiKey};

const NO_AGENT: &str = "Agent not found";
const NO_KEY: &str = "Provider key not found";

/// Longest key that is taken: it has to fit into a header.
const MAX_KEY_BYTES: usize = 4_096;

pub(super) fn router() -> Routes {
    Routes::new()
        .get("/api/agents/{agent}/provider-keys", list)
        .post("/api/agents/{agent}/provider-keys", store)
        .delete("/api/agents/{agent}/provider-keys/{provider}", delete)
}

async fn list(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    Path(agent): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let agent = input::id(&agent, NO_AGENT)?;
    state.db.agent(&principal, agent).await?.ok_or(ApiError::NotFound(NO_AGENT))?;
    let keys = state.db.provider_keys(&principal, agent).await?;
    Ok(Json(json!({ "provider_keys": keys })))
}

async fn store(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    RequestId(request_id): RequestId,
    Path(agent): Path<String>,
    Json(body): Json<Value>,
) -> Result<(StatusCode, Json<ProviderKeyRow>), ApiError> {
    let agent_id = input::id(&agent, NO_AGENT)?;
    let fields = input::fields(body)?;
    let needed = |name: &str| input::text(&fields, name)?.ok_or_else(|| bad(&format!("{name} is required")));
    let (provider, api_key) = (needed("provider")?, needed("api_key")?.trim().to_owned());
    if api_key.is_empty() || api_key.len() > MAX_KEY_BYTES || !api_key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("api_key must be the provider's key: printable characters without spaces"));
    }
    let base_url = input::text(&fields, "base_url")?;
    check(&state, &provider, base_url.as_deref()).await?;
    let request_id = Some(request_id);
    let new = NewProviderKey { agent_id, provider, api_key: Secret::new(api_key), base_url, request_id };
    Ok((StatusCode::CREATED, Json(state.db.store_provider_key(&principal, &new).await?)))
}

async fn delete(
    State(state): State<AppState>,
    ServiceCaller(principal): ServiceCaller,
    RequestId(request_id): RequestId,
    Path((agent, provider)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (agent, provider) = (input::id(&agent, NO_KEY)?, input::text_id(&provider, NO_KEY)?);
    let deleted = state.db.delete_provider_key(&principal, agent, provider, Some(&request_id)).await?;
    if deleted { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound(NO_KEY)) }
}

/// Refuses what a run would refuse, while somebody is there to mend it. A run checks again what the name means then.
async fn check(state: &AppState, provider: &str, base_url: Option<&str>) -> Result<(), ApiError> {
    let nothing = ApiKey::new("");
    let Some(base_url) = base_url else {
        return Access::public(provider, nothing)
            .map(drop)
            .map_err(|_| bad("provider must be one of openai, anthropic, gemini, ollama; ollama needs a base_url"));
    };
    Access::own(provider, nothing, base_url, &[]).map_err(|_| {
        bad("provider must be one of openai, anthropic, gemini, ollama, and base_url a web address without a password")
    })?;
    let url = Url::parse(base_url.trim()).map_err(|_| bad("base_url must be a web address"))?;
    state.tools.sandbox().addresses_of(&url).await.map(drop).map_err(|error| ApiError::Unprocessable(error.to_string()))
}

fn bad(text: &str) -> ApiError {
    ApiError::BadRequest(text.to_owned())
}

impl From<ProviderKeyError> for ApiError {
    fn from(error: ProviderKeyError) -> Self {
        match error {
            ProviderKeyError::NoAgent => Self::NotFound(NO_AGENT),
            ProviderKeyError::Secret(error) => Self::Unprocessable(error.to_string()),
            ProviderKeyError::Database(error) => error.into(),
        }
    }
}
