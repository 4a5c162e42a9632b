//! One source.

use axum::extract::State;
use behalf_web::{ApiError, Asker, Json, Path, RequestId, Routes, present, routes as group};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::source_id;
use crate::source::Source;
use crate::state::Sources;
use crate::store::change::{self, Change};
use crate::store::read;
use crate::upload::bad_name;
use crate::{metadata, name};

/// The routes.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(show, change_source, delete))
}

/// Fields of a source to change; an absent one keeps its value.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(clippy::option_option, reason = "an absent field and null differ")]
struct ChangeSource {
    /// Its name.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// What the app keeps with it, replaced whole; null for nothing. What the host keeps there stays.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Option<Map<String, Value>>>,
}

/// A source that was deleted.
#[derive(Debug, Serialize, ToSchema)]
struct DeletedSource {
    /// `Source deleted`.
    message: &'static str,
}

impl ChangeSource {
    fn check(self) -> Result<Change, ApiError> {
        if self.name.is_none() && self.metadata.is_none() {
            return Err(ApiError::bad_request("send name or metadata"));
        }
        let name = self.name.map(|text| name::chosen(&text).ok_or_else(bad_name)).transpose()?;
        let metadata = self.metadata.map(Option::unwrap_or_default);
        let metadata = metadata.map(metadata::checked).transpose().map_err(ApiError::bad_request)?;
        Ok(Change { name, metadata })
    }
}

/// Shows a source, and how far its text has been read.
#[utoipa::path(
    get, path = "/api/sources/{source}", operation_id = "show_source", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    responses((status = 200, description = "The source", body = Source))
)]
async fn show(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
) -> Result<Json<Source>, ApiError> {
    Ok(Json(read::find(&sources, &asker, source_id(&source)?).await?))
}

/// Changes the name or the metadata of a source of the caller's own.
#[utoipa::path(
    patch, path = "/api/sources/{source}", operation_id = "change_source", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    request_body = ChangeSource,
    responses((status = 200, description = "The source", body = Source))
)]
async fn change_source(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    RequestId(request_id): RequestId,
    Json(request): Json<ChangeSource>,
) -> Result<Json<Source>, ApiError> {
    let (id, wanted) = (source_id(&source)?, request.check()?);
    Ok(Json(change::change(&sources, &asker.principal, (id, &request_id), &wanted).await?))
}

/// Deletes a source of the caller's own with its text and its file, and cancels what is under way for it.
#[utoipa::path(
    delete, path = "/api/sources/{source}", operation_id = "delete_source", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    responses((status = 200, description = "It is deleted", body = DeletedSource))
)]
async fn delete(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    RequestId(request_id): RequestId,
) -> Result<Json<DeletedSource>, ApiError> {
    change::delete(&sources, &asker.principal, (source_id(&source)?, &request_id)).await?;
    Ok(Json(DeletedSource { message: "Source deleted" }))
}
