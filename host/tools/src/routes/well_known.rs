//! The public keys with which an operator's servers check assertions.

use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use behalf_web::{ApiError, Json};
use http::header::CACHE_CONTROL;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::state::ToolsState;

/// How old the set may be in memory: anybody may ask for it, and asking must cost the database next to nothing. Short, so
/// that a host that just began to sign is found at every other host at once.
pub(super) const AGE: Duration = Duration::from_secs(1);

/// A key set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssertionKeys)]
pub(super) struct KeySet {
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Value>,
}

/// Lists the public keys of all hosts of this database, whichever host is asked.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "list_assertion_keys",
    tag = "Tools",
    security(()),
    responses((status = 200, description = "The key set", body = KeySet)),
)]
pub(super) async fn keys(State(state): State<ToolsState>) -> Result<Response, ApiError> {
    // A host signs with a key only after an answer without it can be kept no longer.
    let (keys, cache) = state.keys.get(async { state.tools.signer.published().await.map_err(ApiError::from) }).await?;
    let cache = format!("public, max-age={}", cache.as_secs());
    Ok(([(CACHE_CONTROL, cache)], Json(KeySet { keys })).into_response())
}
