//! The list of bases, and new ones.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Page, Query, RequestId, Routes, input, routes as group};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::DEFAULT_ROWS;
use super::base::{checked_description, checked_name};
use crate::base::{Base, Contributors};
use crate::state::Knowledge;
use crate::store::bases::{self, Wanted};
use crate::store::read::{self, Filter, Sort};

/// Rows at most.
const MAX_ROWS: i64 = 100;

/// What a list may be sorted by, and is where a request says nothing.
const SORTS: [(&str, Sort); 3] =
    [("created_at", Sort::CreatedAt), ("updated_at", Sort::UpdatedAt), ("name", Sort::Name)];

/// The routes.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(list, make))
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
    /// `created_at`, `updated_at` or `name`.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
}

impl ListQuery {
    fn filter(self) -> Result<Filter, ApiError> {
        let asked = (self.sort.as_deref(), self.order.as_deref());
        let (sort, descending) = input::order(asked, &SORTS)?;
        let page = Page::new(self.limit, self.offset, DEFAULT_ROWS, MAX_ROWS);
        Ok(Filter { q: input::search(self.q, "q")?, sort, descending, page })
    }
}

/// One page of bases.
#[derive(Debug, Serialize, ToSchema)]
struct KnowledgeBaseList {
    /// The bases of the page.
    knowledge_bases: Vec<Base>,
    /// How many bases fit in all.
    total: i64,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// A base to make.
#[derive(Debug, Deserialize, ToSchema)]
struct NewKnowledgeBase {
    /// Its name.
    name: String,
    /// What it has, for people and models.
    description: Option<String>,
    /// Who may add sources: `owner` where absent, or `authenticated`.
    contributors: Option<Contributors>,
    /// How its sources are indexed: `strategy`, `chunk_size`, `chunk_overlap`, `embedding_model`, `model`, `json_schema`.
    indexing_config: Option<Map<String, Value>>,
    /// How it is searched: `method`, `top_k`, `vector_weight`, `ts_language`, `context_mode`, `mmr_lambda`, `reranker`.
    retrieval_config: Option<Map<String, Value>>,
}

/// Lists the knowledge bases that the caller may see, newest first: their own, and those with a source that they see.
#[utoipa::path(
    get, path = "/api/knowledge-bases", operation_id = "list_knowledge_bases", tag = "Knowledge",
    params(ListQuery),
    responses((status = 200, description = "The bases", body = KnowledgeBaseList))
)]
async fn list(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Query(query): Query<ListQuery>,
) -> Result<Json<KnowledgeBaseList>, ApiError> {
    let filter = query.filter()?;
    let Page { limit, offset } = filter.page;
    let (knowledge_bases, total) = read::list(&knowledge, &asker, &filter).await?;
    Ok(Json(KnowledgeBaseList { knowledge_bases, total, limit, offset }))
}

/// Makes a knowledge base of the caller's. What a configuration leaves out is the host's default.
#[utoipa::path(
    post, path = "/api/knowledge-bases", operation_id = "create_knowledge_base", tag = "Knowledge",
    request_body = NewKnowledgeBase,
    responses((status = 201, description = "The base", body = Base))
)]
async fn make(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    RequestId(request_id): RequestId,
    Json(new): Json<NewKnowledgeBase>,
) -> Result<(StatusCode, Json<Base>), ApiError> {
    let wanted = Wanted {
        name: Some(checked_name(&new.name)?),
        description: Some(checked_description(new.description)?),
        contributors: new.contributors,
        indexing: new.indexing_config,
        retrieval: new.retrieval_config,
    };
    let base = bases::make(&knowledge, &asker.principal, &request_id, wanted).await?;
    Ok((StatusCode::CREATED, Json(base)))
}
