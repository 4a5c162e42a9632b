//! Sources of a base are indexed anew.

use axum::body::Bytes;
use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Path, RequestId, Routes, routes as group};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::base_id;
use crate::state::Knowledge;
use crate::store::read;
use crate::store::reindex::{self, Scope};

/// Sources of one request.
const MAX_SOURCES: usize = 10_000;

/// The routes.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(reindex)).routes(group!(build_bm25))
}

/// Which sources to index anew; all of the base where nothing is said.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct Reindex {
    /// These, by the ids of their places in the base.
    indexed_source_ids: Option<Vec<Uuid>>,
    /// Only those that could not be indexed.
    #[serde(default)]
    failed_only: bool,
}

/// What was begun.
#[derive(Debug, Serialize, ToSchema)]
struct ReindexBegun {
    /// `queued`, or `nothing_to_do`.
    status: &'static str,
    /// The jobs that were added so far: a host adds those of others' sources, and of more than 200, within seconds.
    task_ids: Vec<Uuid>,
    /// How many sources are indexed anew.
    count: usize,
    /// `all`, `failed` or `selected`.
    scope: &'static str,
}

/// The index of words.
#[derive(Debug, Serialize, ToSchema)]
struct WordsReady {
    /// Always `ready`.
    status: &'static str,
    /// Why nothing was begun.
    message: &'static str,
}

/// Has sources of a knowledge base of the caller's own indexed anew, as the base says now. What is there can be found until the new index
/// of a source is there.
#[utoipa::path(
    post, path = "/api/knowledge-bases/{knowledge_base}/reindex", operation_id = "reindex_knowledge_base", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    request_body = Option<Reindex>,
    responses((status = 202, description = "They wait to be indexed", body = ReindexBegun))
)]
async fn reindex(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
    RequestId(request_id): RequestId,
    body: Bytes,
) -> Result<(StatusCode, Json<ReindexBegun>), ApiError> {
    let id = base_id(&base)?;
    let request = if body.is_empty() { Reindex::default() } else { Json::<Reindex>::from_bytes(&body)?.0 };
    let scope = match request.indexed_source_ids {
        Some(_) if request.failed_only => {
            return Err(ApiError::bad_request("name indexed_source_ids or failed_only, not both"));
        }
        Some(ids) if ids.len() > MAX_SOURCES => {
            return Err(ApiError::bad_request(format!("indexed_source_ids may have at most {MAX_SOURCES} ids")));
        }
        Some(ids) => Scope::Selected(ids),
        None if request.failed_only => Scope::Failed,
        None => Scope::All,
    };
    let begun = reindex::reindex(&knowledge, &asker.principal, (id, &request_id), &scope).await?;
    let status = if begun.count > 0 { "queued" } else { "nothing_to_do" };
    let answer = ReindexBegun { status, task_ids: begun.jobs, count: begun.count, scope: scope.as_str() };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// For clients of the platform: words are indexed with each chunk, so there is nothing to build.
#[utoipa::path(
    post, path = "/api/knowledge-bases/{knowledge_base}/build-bm25", operation_id = "build_knowledge_base_words", tag = "Knowledge",
    params(("knowledge_base" = String, Path, description = "The base's id.")),
    responses((status = 202, description = "It is ready", body = WordsReady))
)]
async fn build_bm25(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path(base): Path<String>,
) -> Result<(StatusCode, Json<WordsReady>), ApiError> {
    read::base(&knowledge, &asker, base_id(&base)?).await?;
    let answer =
        WordsReady { status: "ready", message: "Words are indexed with each chunk; there is nothing to build" };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
