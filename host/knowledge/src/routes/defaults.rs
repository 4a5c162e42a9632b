//! What bases are told where a client says nothing.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Routes, routes as group};
use serde_json::{Value, json};

use crate::config;
use crate::state::Knowledge;

/// The route.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(show))
}

/// Shows the strategies, methods and defaults of knowledge bases on this host.
#[utoipa::path(
    get, path = "/api/config/kb-defaults", operation_id = "show_knowledge_base_defaults", tag = "Knowledge",
    responses((status = 200, description = "The defaults", body = Value))
)]
async fn show(State(knowledge): State<Knowledge>, _asker: Asker) -> Result<Json<Value>, ApiError> {
    let mut defaults = config::defaults(&knowledge.means());
    if let Value::Object(members) = &mut defaults {
        members.insert("rerankers".to_owned(), json!([]));
        members.insert("extraction".to_owned(), json!({ "models": ["auto"], "default": "auto" }));
    }
    Ok(Json(defaults))
}
