//! One source of a base: shown, cancelled, taken out.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Path, RequestId, Routes, routes as group};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{base_id, place_id};
use crate::base::{IndexStatus, IndexedSource};
use crate::error::BAD_BASE_ID;
use crate::state::Knowledge;
use crate::store::{places, read};

/// The routes.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(show, remove)).routes(group!(cancel))
}

/// A source was taken out.
#[derive(Debug, Serialize, ToSchema)]
struct RemovedSource {
    /// What was done.
    message: &'static str,
    /// The id of its place in the base.
    deleted_indexed_source_id: Uuid,
    /// The base.
    kb_id: Uuid,
}

/// Indexing was cancelled.
#[derive(Debug, Serialize, ToSchema)]
struct CancelledIndexing {
    /// What was done.
    message: &'static str,
    /// How far it is now.
    index_status: IndexStatus,
    /// The job that was cancelled.
    task_id: Option<Uuid>,
}

/// Shows how far a source of a knowledge base is indexed.
#[utoipa::path(
    get, path = "/api/knowledge-bases/{knowledge_base}/sources/{indexed_source}", operation_id = "show_knowledge_base_source",
    tag = "Knowledge",
    params(
        ("knowledge_base" = String, Path, description = "The base's id."),
        ("indexed_source" = String, Path, description = "The id of the source's place in the base."),
    ),
    responses((status = 200, description = "The source", body = IndexedSource))
)]
async fn show(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path((base, place)): Path<(String, String)>,
) -> Result<Json<IndexedSource>, ApiError> {
    Ok(Json(read::source(&knowledge, &asker, (base_id(&base)?, place_id(&place)?)).await?))
}

/// Takes a source out of a knowledge base, with its chunks. Who owns the source may, and who owns the base. The source stays.
#[utoipa::path(
    delete, path = "/api/knowledge-bases/{knowledge_base}/sources/{indexed_source}", operation_id = "remove_knowledge_base_source",
    tag = "Knowledge",
    params(
        ("knowledge_base" = String, Path, description = "The base's id."),
        ("indexed_source" = String, Path, description = "The id of the source's place in the base."),
    ),
    responses((status = 200, description = "It is taken out", body = RemovedSource))
)]
async fn remove(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path((base, place)): Path<(String, String)>,
    RequestId(request_id): RequestId,
) -> Result<Json<RemovedSource>, ApiError> {
    // The platform answers 400 here, and 404 everywhere else.
    let base = Uuid::try_parse(&base).map_err(|_| ApiError::bad_request(BAD_BASE_ID))?;
    let place = place_id(&place)?;
    places::remove(&knowledge, &asker.principal, (base, place), &request_id).await?;
    let message = "Source removed from knowledge base";
    Ok(Json(RemovedSource { message, deleted_indexed_source_id: place, kb_id: base }))
}

/// Cancels indexing a source. What was indexed before can still be found. 409 where nothing is under way.
#[utoipa::path(
    post, path = "/api/knowledge-bases/{knowledge_base}/sources/{indexed_source}/cancel", operation_id = "cancel_knowledge_base_source",
    tag = "Knowledge",
    params(
        ("knowledge_base" = String, Path, description = "The base's id."),
        ("indexed_source" = String, Path, description = "The id of the source's place in the base."),
    ),
    responses((status = 200, description = "It is cancelled", body = CancelledIndexing))
)]
async fn cancel(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path((base, place)): Path<(String, String)>,
    RequestId(request_id): RequestId,
) -> Result<Json<CancelledIndexing>, ApiError> {
    let place = (base_id(&base)?, place_id(&place)?);
    let task_id = places::cancel(&knowledge, &asker.principal, place, &request_id).await?;
    Ok(Json(CancelledIndexing { message: "Indexing cancelled", index_status: IndexStatus::Cancelled, task_id }))
}
