use axum::extract::State;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::Json;
use super::routes::Routes;
use super::state::AppState;

pub(super) fn router() -> Routes {
    Routes::new().get("/healthz", alive).get("/api/health", healthy).get("/readyz", ready).get("/metrics", metrics_text)
}

async fn alive() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "behalf", "version": env!("CARGO_PKG_VERSION") }))
}

/// What the platform's clients look for, word by word.
async fn healthy() -> Json<Value> {
    Json(json!({ "status": "healthy", "service": "project-service" }))
}

async fn ready(State(state): State<AppState>) -> Result<Json<Value>, ApiError> {
    state.db.ping().await.map_err(|_| ApiError::Unavailable("the database does not answer".to_owned()))?;
    Ok(Json(json!({ "status": "ready" })))
}

async fn metrics_text(State(state): State<AppState>) -> String {
    let (in_use, idle) = state.db.tool_connections();
    for (name, value) in [
        ("behalf_tool_connections_in_use", in_use),
        ("behalf_tool_connections_idle", idle),
        ("behalf_tool_calls_running", state.tools.sandbox().running_calls()),
    ] {
        // Counts are far below the numbers that a float holds exactly.
        metrics::gauge!(name).set(u32::try_from(value).map_or(f64::NAN, f64::from));
    }
    state.metrics.render()
}
