//! What servers of the operator's need to check whom a call is for.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde_json::json;

use super::error::ApiError;
use super::extract::Json;
use super::routes::Routes;
use super::state::AppState;

/// A host publishes its key before it signs anything, and keeps it published for minutes after its last signature.
const CACHE: &str = "public, max-age=60";

pub(super) fn router() -> Routes {
    Routes::new().get("/.well-known/jwks.json", keys)
}

/// The public keys of all hosts of this database (RFC 7517), whichever of them is asked.
async fn keys(State(state): State<AppState>) -> Result<Response, ApiError> {
    let keys = state.db.assertion_keys().await?;
    Ok(([(CACHE_CONTROL, CACHE)], Json(json!({ "keys": keys }))).into_response())
}
