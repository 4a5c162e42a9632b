//! One base.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Path, RequestId, Routes, present, routes as group};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::base_id;
use crate::base::{Base, BaseDetails, Contributors};
use crate::state::Knowledge;
use crate::store::bases::{self, Wanted};
use crate::store::read;

/// Characters of a name, and of a description.
const MAX_NAME: usize = 200;
const MAX_DESCRIPTION: usize = 4_000;

/// The routes.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(show, change, delete))
}

/// What to change of a base. What is absent stays; members of the configurations that are absent stay as well.
#[derive(Debug, Deserialize, ToSchema)]
struct ChangeKnowledgeBase {
    /// Another name.
    name: Option<String>,
    /// Another description, or null.
    #[expect(clippy::option_option, reason = "an absent member keeps what is there, and null takes it away")]
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    description: Option<Option<String>>,
    /// Who may add sources.
    contributors: Option<Contributors>,
    /// Members of the indexing configuration. Sources that are indexed stay as they are until `reindex`.
    indexing_config: Option<Map<String, Value>>,
    /// Members of the retrieval configuration. They hold for the next search.
    retrieval_config: Option<Map<String, Value>>,
}

/// A base was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedKnowledgeBase {
    /// What was done.
    message: &'static str,
}

/// Shows a knowledge base, how many of its sources are how far, and whether any is indexed otherwise than it says now.
#[utoipa::path(
    get, path = "/api/knowledge-bases/{knowledge_base}", operation_id = "show_knowledge_base", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    responses((status = 200, description = "The base", body = BaseDetails))
)]
async fn show(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
) -> Result<Json<BaseDetails>, ApiError> {
    Ok(Json(read::details(&knowledge, &asker, base_id(&base)?).await?))
}

/// Changes a knowledge base of the caller's own.
#[utoipa::path(
    patch, path = "/api/knowledge-bases/{knowledge_base}", operation_id = "change_knowledge_base", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    request_body = ChangeKnowledgeBase,
    responses((status = 200, description = "The base", body = Base))
)]
async fn change(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    RequestId(request_id): RequestId,
    Json(request): Json<ChangeKnowledgeBase>,
) -> Result<Json<Base>, ApiError> {
    let id = base_id(&base)?;
    let wanted = Wanted {
        name: request.name.as_deref().map(checked_name).transpose()?,
        description: request.description.map(checked_description).transpose()?,
        contributors: request.contributors,
        indexing: request.indexing_config,
        retrieval: request.retrieval_config,
    };
    Ok(Json(bases::change(&knowledge, &asker.principal, (id, &request_id), wanted).await?))
}

/// Deletes a knowledge base of the caller's own with its index. The sources stay.
#[utoipa::path(
    delete, path = "/api/knowledge-bases/{knowledge_base}", operation_id = "delete_knowledge_base", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    responses((status = 200, description = "It is deleted", body = DeletedKnowledgeBase))
)]
async fn delete(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    RequestId(request_id): RequestId,
) -> Result<Json<DeletedKnowledgeBase>, ApiError> {
    bases::delete(&knowledge, &asker.principal, (base_id(&base)?, &request_id)).await?;
    Ok(Json(DeletedKnowledgeBase { message: "Knowledge base deleted" }))
}

/// A name, without spaces around it.
pub(super) fn checked_name(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request(format!("name must have 1 to {MAX_NAME} characters, on one line")));
    }
    Ok(name.to_owned())
}

/// A description; an empty one is none.
pub(super) fn checked_description(description: Option<String>) -> Result<Option<String>, ApiError> {
    let description = description.filter(|text| !text.trim().is_empty());
    if description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        return Err(ApiError::bad_request(format!("description may have at most {MAX_DESCRIPTION} characters")));
    }
    Ok(description)
}
