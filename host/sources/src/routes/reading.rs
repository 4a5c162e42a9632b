//! Reading a source is cancelled, or begun anew.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Path, RequestId, Routes, routes as group};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::source_id;
use crate::source::Status;
use crate::state::Sources;
use crate::store::admit::admit;
use crate::store::change;

/// The routes.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(cancel)).routes(group!(reextract))
}

/// What became of reading a source.
#[derive(Debug, Serialize, ToSchema)]
struct Reading {
    /// What was done.
    message: &'static str,
    /// How far it is now.
    extraction_status: Status,
    /// The job that was cancelled, or that reads it now.
    task_id: Option<Uuid>,
}

/// Cancels what is done for a source of the caller's own. 409 where nothing is under way.
#[utoipa::path(
    post, path = "/api/sources/{source}/cancel", operation_id = "cancel_source", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    responses((status = 200, description = "It is cancelled", body = Reading))
)]
async fn cancel(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    RequestId(request_id): RequestId,
) -> Result<Json<Reading>, ApiError> {
    let task_id = change::cancel(&sources, &asker.principal, (source_id(&source)?, &request_id)).await?;
    Ok(Json(Reading { message: "Extraction cancelled", extraction_status: Status::Cancelled, task_id }))
}

/// Has a source of the caller's own read anew. The text that was read before stays until there is another. 409 while it is being read.
#[utoipa::path(
    post, path = "/api/sources/{source}/reextract", operation_id = "reextract_source", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    responses((status = 200, description = "It waits to be read", body = Reading))
)]
async fn reextract(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    RequestId(request_id): RequestId,
) -> Result<Json<Reading>, ApiError> {
    let id = source_id(&source)?;
    admit(&sources, &asker.principal, 1).await?;
    let job = change::read_anew(&sources, &asker.principal, (id, &request_id)).await?;
    Ok(Json(Reading { message: "Re-extraction started", extraction_status: Status::Pending, task_id: Some(job) }))
}
