//! Objects of the app's own become sources. They are read as the caller, so policies on objects decide.

use std::time::Duration;

use axum::extract::State;
use behalf_blobs::WriteError;
use behalf_problem::Kind;
use behalf_sandbox::{ObjectCaller, ObjectError, ObjectPath, OpenObject};
use behalf_web::{ApiError, Asker, Json, RequestId, Routes, routes as group};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::SourceError;
use crate::file_type::FileType;
use crate::state::Sources;
use crate::store::admit::admit;
use crate::upload::{Added, NewFile, bad_name, take, unknown_type};
use crate::{metadata, name};

/// The time for a statement about an object.
const DEADLINE: Duration = Duration::from_secs(30);

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(import))
}

/// An object to read.
#[derive(Debug, Deserialize, ToSchema)]
struct ImportObject {
    /// Its bucket.
    bucket: String,
    /// Its name in the bucket.
    path: String,
    /// The source's name; the last part of the object's where absent.
    #[schema(max_length = 255)]
    name: Option<String>,
    /// Kept in the metadata. This host has one way to read each format, so it changes nothing.
    extraction_model: Option<String>,
}

/// Adds a source with a copy of an object of `/storage/v1` that the caller may read.
#[utoipa::path(
    post, path = "/api/sources/import-from-storage", operation_id = "import_source_object", tag = "Sources",
    request_body = ImportObject,
    responses((status = 201, description = "The source, which waits to be read", body = Added))
)]
async fn import(
    State(sources): State<Sources>,
    asker: Asker,
    RequestId(request_id): RequestId,
    Json(request): Json<ImportObject>,
) -> Result<(StatusCode, Json<Added>), ApiError> {
    let _place = sources.uploads.take(asker.key).await?;
    let name = request.name.as_deref().filter(|text| !text.trim().is_empty());
    let name = name.map(|text| name::chosen(text).ok_or_else(bad_name)).transpose()?;
    admit(&sources, &asker.principal, 1).await?;
    let object = open(&sources, &asker, &request).await?;
    let file_name = name::of_file(&request.path);
    let file_type = FileType::of_name(&file_name)
        .or_else(|| name.as_deref().and_then(FileType::of_name))
        .or_else(|| FileType::of_content_type(&object.content_type))
        .ok_or_else(unknown_type)?;
    let id = Uuid::now_v7();
    let taken = take(&sources, id, object.bytes).await.map_err(of_copy)?;
    if taken.size == 0 {
        return Err(ApiError::bad_request("the object is empty"));
    }
    let name = name.unwrap_or(file_name);
    let metadata = request.metadata();
    let file = NewFile { id, name, file_type, metadata, taken, came_by: "object" };
    let added = file.add(&sources, &asker.principal, &request_id).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

/// Opens the object as the caller.
async fn open(sources: &Sources, asker: &Asker, request: &ImportObject) -> Result<OpenObject, ApiError> {
    let Some(objects) = &sources.objects else {
        return Err(ApiError::new(Kind::NotImplemented, "this host keeps no objects; upload the file instead"));
    };
    let caller = ObjectCaller { principal: &asker.principal, key: asker.key, deadline: DEADLINE };
    let path = ObjectPath { bucket: &request.bucket, name: &request.path };
    let object = objects.open(caller, path).await.map_err(of_object)?;
    if object.size > sources.options.max_bytes {
        return Err(SourceError::TooLarge(sources.options.max_bytes).into());
    }
    Ok(object)
}

impl ImportObject {
    fn metadata(self) -> Map<String, Value> {
        let mut metadata = Map::new();
        let object = json!({ "bucket": self.bucket, "path": self.path });
        metadata.insert(metadata::SOURCE_OBJECT.to_owned(), object);
        if let Some(model) = self.extraction_model.filter(|text| !text.is_empty()) {
            metadata.insert(metadata::EXTRACTION_MODEL.to_owned(), Value::String(model.chars().take(200).collect()));
        }
        metadata
    }
}

/// What the store of objects says. What the caller may not read is not there.
fn of_object(error: ObjectError) -> ApiError {
    match error.code {
        "not_found" | "denied" | "not_granted" => ApiError::not_found("Object not found"),
        "invalid" => ApiError::bad_request(error.message),
        "timeout" | "limit" => ApiError::new(Kind::Busy, error.message),
        _ => ApiError::unavailable(error.message),
    }
}

fn of_copy(error: WriteError<std::io::Error>) -> ApiError {
    match error {
        WriteError::Source(_) => ApiError::unavailable("the object cannot be read right now; try again shortly"),
        other => SourceError::from(other).into(),
    }
}
