//! The routes of memories.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Page, Path, Query, RequestId, Routes, input, routes as group};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::error::{MemoriesError, NO_MEMORY};
use crate::state::Memories;
use crate::store::{self, As, Filter, Listed, Whose};

/// Rows where a request says nothing, and at most.
const DEFAULT_ROWS: i64 = 50;
const MAX_ROWS: i64 = 200;

/// The routes of the feature.
pub fn routes(memories: Memories) -> Routes {
    Routes::new().routes(group!(list, delete_all)).routes(group!(show, delete)).with_state(memories)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Rows, at most 200; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// Text that they contain.
    q: Option<String>,
    /// Only those of this agent.
    agent_id: Option<Uuid>,
}

/// One page of memories.
#[derive(Debug, Serialize, ToSchema)]
struct MemoryList {
    /// The memories of the page, newest first.
    memories: Vec<Listed>,
    /// How many fit in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists what agents remember of the caller, newest first; for the service role, of everybody.
#[utoipa::path(
    get, path = "/api/memories", operation_id = "list_memories", tag = "Memories",
    params(ListQuery),
    responses((status = 200, description = "The memories", body = MemoryList))
)]
async fn list(
    State(memories): State<Memories>,
    asker: Asker,
    Query(query): Query<ListQuery>,
) -> Result<Json<MemoryList>, ApiError> {
    let page = Page::new(query.limit, query.offset, DEFAULT_ROWS, MAX_ROWS);
    let filter = Filter { q: input::search(query.q, "q")?, agent: query.agent_id, page };
    let (found, total) = store::list(&memories, As::asker(&asker), &filter).await?;
    let Page { limit, offset } = page;
    Ok(Json(MemoryList { memories: found, total, limit, offset }))
}

/// Shows a memory.
#[utoipa::path(
    get, path = "/api/memories/{memory}", operation_id = "get_memory", tag = "Memories",
    params(("memory" = String, Path, description = "The memory's id.")),
    responses((status = 200, description = "The memory", body = Listed))
)]
async fn show(
    State(memories): State<Memories>,
    asker: Asker,
    Path(memory): Path<String>,
) -> Result<Json<Listed>, ApiError> {
    let id = input::id(&memory, NO_MEMORY)?;
    Ok(Json(store::find(&memories, As::asker(&asker), id).await?))
}

/// A memory that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedMemory {
    /// `true`.
    deleted: bool,
}

/// Deletes a memory.
#[utoipa::path(
    delete, path = "/api/memories/{memory}", operation_id = "delete_memory", tag = "Memories",
    params(("memory" = String, Path, description = "The memory's id.")),
    responses((status = 200, description = "It is deleted", body = DeletedMemory))
)]
async fn delete(
    State(memories): State<Memories>,
    asker: Asker,
    RequestId(request_id): RequestId,
    Path(memory): Path<String>,
) -> Result<Json<DeletedMemory>, ApiError> {
    let id = input::id(&memory, NO_MEMORY)?;
    let by = As { request_id: &request_id, ..As::asker(&asker) };
    if store::remove(&memories, by, id, Whose::User).await? {
        Ok(Json(DeletedMemory { deleted: true }))
    } else {
        Err(MemoriesError::NotFound.into())
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DeleteQuery {
    /// Only those of this agent.
    agent_id: Option<Uuid>,
}

/// Memories that were deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedMemories {
    /// How many.
    deleted: i64,
}

/// Deletes all that agents remember of the caller. The service role has to act for a user.
#[utoipa::path(
    delete, path = "/api/memories", operation_id = "delete_memories", tag = "Memories",
    params(DeleteQuery),
    responses((status = 200, description = "They are deleted", body = DeletedMemories))
)]
async fn delete_all(
    State(memories): State<Memories>,
    asker: Asker,
    RequestId(request_id): RequestId,
    Query(query): Query<DeleteQuery>,
) -> Result<Json<DeletedMemories>, ApiError> {
    let by = As { request_id: &request_id, ..As::asker(&asker) };
    let deleted = store::remove_all(&memories, by, query.agent_id).await?;
    Ok(Json(DeletedMemories { deleted }))
}
