//! What the index of a base has of its sources.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Page, Path, Query, Routes, routes as group};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{base_id, place_id};
use crate::base::Item;
use crate::config::IndexingConfig;
use crate::state::Knowledge;
use crate::store::read;

/// Items where a request says nothing, and at most.
const DEFAULT_ITEMS: i64 = 100;
const MAX_ITEMS: i64 = 10_000;
/// Sources of one request.
const MAX_SOURCES: usize = 1_000;

/// The routes.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(items)).routes(group!(chunks))
}

/// Of which sources to list the items.
#[derive(Debug, Deserialize, ToSchema)]
struct ListItems {
    /// The sources.
    source_ids: Vec<Uuid>,
    /// Items at most, 10,000 at most; 100 where absent.
    limit: Option<i64>,
    /// Items to leave out first.
    offset: Option<i64>,
}

/// Items of sources.
#[derive(Debug, Serialize, ToSchema)]
struct KnowledgeItems {
    /// The items, source by source.
    items: Vec<Item>,
    /// How many there are in all.
    total: i64,
    /// How they were made.
    strategy: &'static str,
    /// The sources that were asked for.
    source_ids: Vec<Uuid>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ChunksQuery {
    /// Chunks at most, 10,000 at most; 100 where absent.
    limit: Option<i64>,
    /// Chunks to leave out first.
    offset: Option<i64>,
}

/// One page of chunks.
#[derive(Debug, Serialize, ToSchema)]
struct ChunkList {
    /// The chunks of the page.
    chunks: Vec<Item>,
    /// How many there are in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists the items of sources of a knowledge base: chunks, documents, sections, or what was read out of documents.
#[utoipa::path(
    post, path = "/api/knowledge-bases/{knowledge_base}/items", operation_id = "list_knowledge_base_items", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    request_body = ListItems,
    responses((status = 200, description = "The items", body = KnowledgeItems))
)]
async fn items(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    Json(request): Json<ListItems>,
) -> Result<Json<KnowledgeItems>, ApiError> {
    let id = base_id(&base)?;
    let source_ids = request.source_ids;
    if source_ids.is_empty() || source_ids.len() > MAX_SOURCES {
        return Err(ApiError::bad_request(format!("source_ids must have 1 to {MAX_SOURCES} ids")));
    }
    let base = read::base(&knowledge, &asker, id).await?;
    let page = Page::new(request.limit, request.offset, DEFAULT_ITEMS, MAX_ITEMS);
    let (items, total) = read::items(&knowledge, &asker, id, (&source_ids, page)).await?;
    let strategy = IndexingConfig::read(&base.indexing_config).strategy.as_str();
    Ok(Json(KnowledgeItems { items, total, strategy, source_ids }))
}

/// Lists the chunks of one source of a knowledge base, in their order.
#[utoipa::path(
    get, path = "/api/knowledge-bases/{knowledge_base}/indexed-sources/{indexed_source}/chunks",
    operation_id = "list_knowledge_base_chunks", tag = "Knowledge",
    params(
        ("knowledge_base" = String, Path, description = "The base's id."),
        ("indexed_source" = String, Path, description = "The id of the source's place in the base."), ChunksQuery,
    ),
    responses((status = 200, description = "The chunks", body = ChunkList))
)]
async fn chunks(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path((base, place)): Path<(String, String)>,
    Query(query): Query<ChunksQuery>,
) -> Result<Json<ChunkList>, ApiError> {
    let place = (base_id(&base)?, place_id(&place)?);
    let page = Page::new(query.limit, query.offset, DEFAULT_ITEMS, MAX_ITEMS);
    let (chunks, total) = read::chunks(&knowledge, &asker, place, page).await?;
    Ok(Json(ChunkList { chunks, total, limit: page.limit, offset: page.offset }))
}
