//! The sources of a base.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Page, Path, Query, RequestId, Routes, input, routes as group};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{DEFAULT_ROWS, base_id};
use crate::base::{IndexStatus, IndexedSource};
use crate::error::NO_SOURCE;
use crate::state::Knowledge;
use crate::store::{places, read};

/// Rows at most.
const MAX_ROWS: i64 = 200;

/// The routes.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(list, add))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Rows, at most 200; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// How far they are, such as `indexed`.
    status: Option<String>,
}

/// One page of sources.
#[derive(Debug, Serialize, ToSchema)]
struct IndexedSourceList {
    /// The sources of the page.
    items: Vec<IndexedSource>,
    /// How many there are in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// The source to put into a base.
#[derive(Debug, Deserialize, ToSchema)]
struct AddSource {
    /// Its id.
    source_id: String,
}

/// A source that was put into a base.
#[derive(Debug, Serialize, ToSchema)]
struct AddedSource {
    /// The id of its place in the base.
    id: Uuid,
    /// The base.
    knowledge_base_id: Uuid,
    /// The source.
    source_id: Uuid,
    /// Its name.
    source_name: String,
    /// It waits to be indexed.
    index_status: IndexStatus,
    /// The job that indexes it.
    task_id: Uuid,
}

/// Lists the sources of a knowledge base that the caller may see, newest first.
#[utoipa::path(
    get, path = "/api/knowledge-bases/{knowledge_base}/sources", operation_id = "list_knowledge_base_sources", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id."), ListQuery),
    responses((status = 200, description = "The sources", body = IndexedSourceList))
)]
async fn list(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<IndexedSourceList>, ApiError> {
    let page = Page::new(query.limit, query.offset, DEFAULT_ROWS, MAX_ROWS);
    let status = query.status.as_deref().filter(|status| !status.is_empty());
    if status.is_some_and(|status| !["pending", "indexing", "indexed", "failed", "cancelled"].contains(&status)) {
        return Err(ApiError::bad_request("status must be one of pending, indexing, indexed, failed, cancelled"));
    }
    let (items, total) = read::sources(&knowledge, &asker, base_id(&base)?, (status, page)).await?;
    Ok(Json(IndexedSourceList { items, total, limit: page.limit, offset: page.offset }))
}

/// Puts a source of the caller's own, whose text was read, into a knowledge base of theirs, or into one that takes sources of every
/// signed-in user. It is indexed afterwards. One that is there is indexed anew.
#[utoipa::path(
    post, path = "/api/knowledge-bases/{knowledge_base}/sources", operation_id = "add_knowledge_base_source", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    request_body = AddSource,
    responses((status = 201, description = "It waits to be indexed", body = AddedSource))
)]
async fn add(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    RequestId(request_id): RequestId,
    Json(request): Json<AddSource>,
) -> Result<(StatusCode, Json<AddedSource>), ApiError> {
    let (base, source) = (base_id(&base)?, input::id(&request.source_id, NO_SOURCE)?);
    let put = places::add(&knowledge, &asker.principal, (base, source), &request_id).await?;
    let added = AddedSource {
        id: put.id,
        knowledge_base_id: base,
        source_id: source,
        source_name: put.source_name,
        index_status: IndexStatus::Pending,
        task_id: put.job,
    };
    Ok((StatusCode::CREATED, Json(added)))
}
