//! Search in one base.

use axum::extract::State;
use behalf_contracts::{RetrievalQuery, RetrievedChunk};
use behalf_web::{ApiError, Asker, Json, Path, RequestId, Routes, routes as group};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::base_id;
use crate::config::{method_name, method_of};
use crate::state::Knowledge;
use crate::store::read;

/// Sources that a search can be narrowed to.
const MAX_SOURCES: usize = 1_000;
/// Bytes of a filter, as JSON.
const MAX_FILTER: usize = 4_096;

/// The route.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(search))
}

/// A search.
#[derive(Debug, Deserialize, ToSchema)]
struct SearchKnowledgeBase {
    /// What to search for.
    query: String,
    /// Results at most, 100 at most; that of the base where absent.
    top_k: Option<u32>,
    /// `vector_search`, `full_text`, `hybrid` or `tree_search`; that of the base where absent.
    retrieval_method: Option<String>,
    /// The least score of a result, 0 to 1.
    similarity_threshold: Option<f32>,
    /// Values that the `meta` of a result must contain.
    filter_metadata: Option<Map<String, Value>>,
    /// The only sources to search.
    source_ids: Option<Vec<Uuid>>,
    /// Whether only sources count that the caller owns.
    #[serde(default)]
    own_sources_only: bool,
}

/// A chunk that was found.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResult {
    /// Its id.
    chunk_id: Uuid,
    /// Its text.
    text: String,
    /// Higher fits better; comparable within one answer only.
    score: f32,
    /// The source that it is of.
    source_id: Uuid,
    /// The name of that source, if the caller may read it.
    source_name: Option<String>,
    /// What is known of it.
    meta: Value,
}

/// What was found, the best first.
#[derive(Debug, Serialize, ToSchema)]
struct SearchResults {
    /// The chunks.
    results: Vec<SearchResult>,
    /// What was searched for.
    query: String,
    /// How.
    retrieval_method: &'static str,
    /// How many results there are.
    total_results: usize,
    /// Whether a model read the best results again, where the base wants one to. `false`: none is set up, or it failed, and the results
    /// have the order and scores of the search itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    reranked: Option<bool>,
}

impl SearchKnowledgeBase {
    fn query(self, base: Uuid, request_id: String) -> Result<RetrievalQuery, ApiError> {
        let method = self.retrieval_method.as_deref().filter(|name| !name.is_empty()).map(|name| {
            method_of(name).ok_or_else(|| {
                ApiError::bad_request("retrieval_method must be one of vector_search, full_text, hybrid, tree_search")
            })
        });
        if self.source_ids.as_ref().is_some_and(|ids| ids.len() > MAX_SOURCES) {
            return Err(ApiError::bad_request(format!("source_ids may have at most {MAX_SOURCES} ids")));
        }
        if let Some(filter) = &self.filter_metadata
            && serde_json::to_string(filter).map_or(usize::MAX, |text| text.len()) > MAX_FILTER
        {
            return Err(ApiError::bad_request(format!("filter_metadata may have at most {MAX_FILTER} bytes as JSON")));
        }
        Ok(RetrievalQuery {
            text: self.query,
            knowledge_bases: vec![base],
            top_k: self.top_k,
            method: method.transpose()?,
            threshold: self.similarity_threshold,
            filter_metadata: self.filter_metadata.filter(|filter| !filter.is_empty()),
            source_ids: self.source_ids,
            own_sources_only: self.own_sources_only,
            request_id: Some(request_id),
            ..RetrievalQuery::default()
        })
    }
}

impl From<RetrievedChunk> for SearchResult {
    fn from(chunk: RetrievedChunk) -> Self {
        let RetrievedChunk { chunk_id, text, score, source_id, source_name, meta, .. } = chunk;
        Self { chunk_id, text, score, source_id, source_name, meta }
    }
}

/// Searches a knowledge base as the caller: a chunk of a source that the caller may not see is never a result, and never takes the place
/// of one.
#[utoipa::path(
    post, path = "/api/knowledge-bases/{knowledge_base}/search", operation_id = "search_knowledge_base", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    request_body = SearchKnowledgeBase,
    responses((status = 200, description = "What was found", body = SearchResults))
)]
async fn search(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    RequestId(request_id): RequestId,
    Json(request): Json<SearchKnowledgeBase>,
) -> Result<Json<SearchResults>, ApiError> {
    let query = request.query(base_id(&base)?, request_id)?;
    let base = read::base(&knowledge, &asker, base_id(&base)?).await?;
    let answer = knowledge.search_bases(&asker, &query, &[base]).await?;
    let reranked = answer.reranked;
    let results: Vec<SearchResult> = answer.chunks.into_iter().map(SearchResult::from).collect();
    let (total_results, retrieval_method) = (results.len(), method_name(answer.method));
    Ok(Json(SearchResults { results, query: query.text, retrieval_method, total_results, reranked }))
}
