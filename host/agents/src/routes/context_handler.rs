//! Routes of context handlers: searches whose passages a run can be given.

use axum::extract::State;
use behalf_problem::Kind;
use behalf_web::{ApiError, Json, Page, Path, Query, RequestId, Routes, ServiceCaller, input, routes};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::knowledge::{Quoted, read_bases};
use crate::state::AgentsState;
use crate::store::{ContextHandler, NewContextHandler};
use crate::text::storable_text;

/// Bases of one search.
const MAX_BASES: usize = 50;
/// Characters of the text to search for.
const MAX_QUERY_CHARS: usize = 8_000;
/// Tokens of the passages.
const DEFAULT_TOKENS: u32 = 32_000;
const MIN_TOKENS: u32 = 1_000;
const MAX_TOKENS: u32 = 256_000;
const CHARS_PER_TOKEN: usize = 4;
const NO_HANDLER: &str = "Context handler not found";

pub(super) fn routes() -> Routes<AgentsState> {
    Routes::new().routes(routes!(list, create)).routes(routes!(show))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Rows, at most 100; 50 where absent.
    limit: Option<i64>,
    /// Rows to leave out first.
    offset: Option<i64>,
}

/// One page of context handlers.
#[derive(Debug, Serialize, ToSchema)]
struct HandlerPage {
    /// Newest first.
    context_handlers: Vec<ContextHandler>,
    /// Rows that were asked for.
    limit: i64,
    /// Rows that were left out first.
    offset: i64,
}

/// A search to make.
#[derive(Debug, Deserialize, ToSchema)]
struct NewHandler {
    /// The text to search for.
    #[schema(required = true)]
    query: Option<String>,
    /// `[{"id", "top_k", "retrieval_method", "max_context_tokens"}]`, or ids.
    #[schema(value_type = Vec<Object>, required = true)]
    knowledge_bases: Option<Value>,
    /// Tokens of the passages, at most; 32,000 where absent.
    max_context_tokens: Option<u32>,
}

/// Lists context handlers.
#[utoipa::path(
    get,
    path = "/api/context-handlers",
    operation_id = "list_context_handlers",
    tag = "Context handlers",
    params(ListQuery),
    responses((status = 200, description = "One page of context handlers", body = HandlerPage))
)]
async fn list(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Query(query): Query<ListQuery>,
) -> Result<Json<HandlerPage>, ApiError> {
    let Page { limit, offset } = Page::new(query.limit, query.offset, 50, 100);
    let context_handlers = state.agents.knowledge.handlers().list(&principal, limit, offset).await?;
    Ok(Json(HandlerPage { context_handlers, limit, offset }))
}

/// Searches knowledge bases and keeps what was found, so that a run can be given it by `context_handler_id`. The run reads the
/// passages as its own caller.
#[utoipa::path(
    post,
    path = "/api/context-handlers",
    operation_id = "create_context_handler",
    tag = "Context handlers",
    request_body = NewHandler,
    responses((status = 201, description = "The context handler", body = ContextHandler))
)]
async fn create(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    RequestId(request_id): RequestId,
    Json(body): Json<NewHandler>,
) -> Result<(StatusCode, Json<ContextHandler>), ApiError> {
    let query = body.query.map(storable_text).filter(|text| !text.trim().is_empty());
    let query = query.ok_or_else(|| ApiError::bad_request("query is required"))?;
    if query.chars().count() > MAX_QUERY_CHARS {
        return Err(ApiError::bad_request("query may have at most 8000 characters"));
    }
    let bases = body.knowledge_bases.ok_or_else(|| ApiError::bad_request("knowledge_bases is required"))?;
    let bases = read_bases(&bases, "knowledge_bases", MAX_BASES, false).map_err(ApiError::bad_request)?;
    let max_context_tokens = body.max_context_tokens.unwrap_or(DEFAULT_TOKENS).clamp(MIN_TOKENS, MAX_TOKENS);
    let room = usize::try_from(max_context_tokens).unwrap_or(usize::MAX).saturating_mul(CHARS_PER_TOKEN);
    let knowledge = &state.agents.knowledge;
    let found = knowledge.search_alone(&principal, &query, &bases, room, &request_id).await;
    let found = found.ok_or_else(|| ApiError::new(Kind::Unprocessable, "this host serves no knowledge bases"))?;
    let retrieved: Vec<_> = found.quoted.iter().map(Quoted::shown).collect();
    let formatted = found.formatted.map(storable_text);
    let new = NewContextHandler {
        id: Uuid::new_v4(),
        run_id: None,
        tool_name: None,
        query: &query,
        configs: &json!(bases),
        max_context_tokens,
        formatted: formatted.as_deref(),
        retrieved: &json!(retrieved),
        errors: &json!(found.errors),
    };
    knowledge.handlers().create(&principal, &new).await?;
    let made = knowledge.handlers().find(&principal, new.id).await?;
    Ok((StatusCode::CREATED, Json(made.ok_or_else(|| ApiError::not_found(NO_HANDLER))?)))
}

/// Shows a context handler.
#[utoipa::path(
    get,
    path = "/api/context-handlers/{handler}",
    operation_id = "show_context_handler",
    tag = "Context handlers",
    params(("handler" = Uuid, Path, description = "The context handler's id.")),
    responses((status = 200, description = "The context handler", body = ContextHandler))
)]
async fn show(
    State(state): State<AgentsState>,
    ServiceCaller(principal): ServiceCaller,
    Path(handler): Path<String>,
) -> Result<Json<ContextHandler>, ApiError> {
    let found = state.agents.knowledge.handlers().find(&principal, input::id(&handler, NO_HANDLER)?).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found(NO_HANDLER))?))
}
