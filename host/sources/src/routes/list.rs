//! The list of sources.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Page, Query, Routes, input, routes as group};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::source::{Source, Status};
use crate::state::Sources;
use crate::store::read::{self, Filter, Sort};

/// Rows where a request says nothing, and at most.
const DEFAULT_ROWS: i64 = 50;
const MAX_ROWS: i64 = 100;

/// What a list may be sorted by, and is where a request says nothing.
const SORTS: [(&str, Sort); 4] =
    [("created_at", Sort::CreatedAt), ("updated_at", Sort::UpdatedAt), ("name", Sort::Name), ("size", Sort::Size)];

/// The route.
pub(super) fn routes() -> Routes<Sources> {
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
    /// `created_at`, `updated_at`, `name` or `size`.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
    /// How far the text has been read, such as `extracted`.
    status: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<Filter, ApiError> {
        let asked = (self.sort.as_deref(), self.order.as_deref());
        let (sort, descending) = input::order(asked, &SORTS)?;
        let status = self.status.as_deref().filter(|text| !text.is_empty()).map(|text| {
            Status::of_text(text).ok_or_else(|| {
                ApiError::bad_request(
                    "status must be one of pending, extracting, extracted, attention_required, failed, cancelled",
                )
            })
        });
        let page = Page::new(self.limit, self.offset, DEFAULT_ROWS, MAX_ROWS);
        Ok(Filter { q: input::search(self.q, "q")?, status: status.transpose()?, sort, descending, page })
    }
}

/// One page of sources.
#[derive(Debug, Serialize, ToSchema)]
struct SourceList {
    /// The sources of the page.
    sources: Vec<Source>,
    /// How many sources fit in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// Lists the sources that the caller may see, newest first.
#[utoipa::path(
    get, path = "/api/sources", operation_id = "list_sources", tag = "Sources",
    params(ListQuery),
    responses((status = 200, description = "The sources", body = SourceList))
)]
async fn list(
    State(sources): State<Sources>,
    asker: Asker,
    Query(query): Query<ListQuery>,
) -> Result<Json<SourceList>, ApiError> {
    let filter = query.filter()?;
    let Page { limit, offset } = filter.page;
    let (found, total) = read::list(&sources, &asker, &filter).await?;
    Ok(Json(SourceList { sources: found, total, limit, offset }))
}
