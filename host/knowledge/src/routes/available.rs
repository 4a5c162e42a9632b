//! Sources that could be put into a base.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Page, Path, Query, Routes, input, routes as group};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{DEFAULT_ROWS, base_id};
use crate::state::Knowledge;
use crate::store::read;

/// Rows at most.
const MAX_ROWS: i64 = 100;

/// The route.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Rows, at most 100; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
    /// Text that the name contains.
    q: Option<String>,
}

/// A source that the caller may put into the base.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct AvailableSource {
    /// Its id.
    id: Uuid,
    /// Its name.
    name: String,
    /// The end of the name of its file.
    file_type: Option<String>,
    /// Always `extracted`.
    extraction_status: String,
    /// When it was added.
    created_at: String,
}

/// One page of sources.
#[derive(Debug, Serialize, ToSchema)]
struct AvailableSources {
    /// The sources of the page.
    sources: Vec<AvailableSource>,
    /// How many there are in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists sources of the caller's own that a knowledge base does not have, and whose text was read; for the service role, everybody's.
#[utoipa::path(
    get, path = "/api/knowledge-bases/{knowledge_base}/available-sources", operation_id = "list_available_sources", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id."), ListQuery),
    responses((status = 200, description = "The sources", body = AvailableSources))
)]
async fn list(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    Query(query): Query<ListQuery>,
) -> Result<Json<AvailableSources>, ApiError> {
    let base = base_id(&base)?;
    let page = Page::new(query.limit, query.offset, DEFAULT_ROWS, MAX_ROWS);
    let q = input::search(query.q, "q")?;
    read::base(&knowledge, &asker, base).await?;
    let (sources, total) = read::available(&knowledge, &asker, base, (q.as_deref(), page)).await?;
    Ok(Json(AvailableSources { sources, total, limit: page.limit, offset: page.offset }))
}
