//! Objects are sent.

use axum::Json;
use axum::extract::{MatchedPath, Request, State};
use axum::routing::MethodRouter;
use behalf_caller_db::FixedSetting;
use behalf_web::{Routes, routes as group};
use serde::Serialize;
use utoipa::ToSchema;

use super::object_path::ObjectPath;
use crate::caller::Asker;
use crate::error::{StorageError, StorageProblem};
use crate::name::BucketId;
use crate::object::Overwrite;
use crate::state::Storage;
use crate::upload::{LetBy, Upload, upload};

const CREATE: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.upload'"];
const UPDATE: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.upload_update'"];

/// First words of paths that other methods know. For uploads they are buckets like any other.
const WORDS: [&str; 3] = ["authenticated", "info", "public"];

/// An object that is there now.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageUploadedObject)]
pub(super) struct UploadedObject {
    /// Its id.
    #[serde(rename = "Id")]
    id: String,
    /// Its bucket and name.
    #[serde(rename = "Key")]
    key: String,
}

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    let mut routes = Routes::new().routes(group!(create, update));
    for word in WORDS {
        let path = format!("/storage/v1/object/{word}/{{bucket}}/{{*name}}");
        routes = routes.route(&path, MethodRouter::new().post(create_beneath).put(update_beneath));
    }
    routes
}

/// Uploads an object, as the caller: the body as it is, or the file of a form with the fields `cacheControl`, `metadata` and
/// `contentType`. It streams. `x-upsert: true` replaces an object of this name. docs/storage.md says which rights are needed.
#[utoipa::path(
    post, path = "/storage/v1/object/{bucket}/{*name}", tag = "Objects", operation_id = "storage_upload",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("x-upsert" = Option<bool>, Header, description = "Whether an object of this name is replaced."),
        ("x-metadata" = Option<String>, Header, description = "Metadata of the client's own: JSON in base64."),
        ("cache-control" = Option<String>, Header, description = "The header of downloads."),
        ("x-robots-tag" = Option<String>, Header, description = "The header of downloads.")),
    request_body(content = String, content_type = "application/octet-stream", description = "The bytes."),
    responses((status = 200, description = "It is there", body = UploadedObject),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn create(
    state: State<Storage>,
    asker: Asker,
    path: ObjectPath,
    request: Request,
) -> Result<Json<UploadedObject>, StorageError> {
    write(state, asker, path, request, None).await
}

/// Uploads an object, as the caller, and replaces one of this name.
#[utoipa::path(
    put, path = "/storage/v1/object/{bucket}/{*name}", tag = "Objects", operation_id = "storage_upload_update",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("x-metadata" = Option<String>, Header, description = "Metadata of the client's own: JSON in base64."),
        ("cache-control" = Option<String>, Header, description = "The header of downloads."),
        ("x-robots-tag" = Option<String>, Header, description = "The header of downloads.")),
    request_body(content = String, content_type = "application/octet-stream", description = "The bytes, or a form with them."),
    responses((status = 200, description = "It is there", body = UploadedObject),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn update(
    state: State<Storage>,
    asker: Asker,
    path: ObjectPath,
    request: Request,
) -> Result<Json<UploadedObject>, StorageError> {
    write(state, asker, path, request, Some(Overwrite::Yes)).await
}

/// As [`create`], where the path begins as those of other methods do.
async fn create_beneath(
    state: State<Storage>,
    asker: Asker,
    path: ObjectPath,
    request: Request,
) -> Result<Json<UploadedObject>, StorageError> {
    let path = path.beneath(first_word(&request));
    write(state, asker, path, request, None).await
}

/// The same for [`update`].
async fn update_beneath(
    state: State<Storage>,
    asker: Asker,
    path: ObjectPath,
    request: Request,
) -> Result<Json<UploadedObject>, StorageError> {
    let path = path.beneath(first_word(&request));
    write(state, asker, path, request, Some(Overwrite::Yes)).await
}

/// The word of [`WORDS`] with which the path begins. Each route has one, so it is there.
fn first_word(request: &Request) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let beneath = matched.strip_prefix("/storage/v1/object/").unwrap_or_default();
    WORDS.into_iter().find(|word| beneath.starts_with(word)).unwrap_or_default()
}

async fn write(
    State(storage): State<Storage>,
    asker: Asker,
    path: ObjectPath,
    request: Request,
    overwrite: Option<Overwrite>,
) -> Result<Json<UploadedObject>, StorageError> {
    let (parts, body) = request.into_parts();
    let replaces = parts.headers.get("x-upsert").is_some_and(|value| value.as_bytes() == b"true");
    let settings = if overwrite.is_some() { UPDATE } else { CREATE };
    let (bucket, owner) = (BucketId::parse(&path.bucket)?, asker.owner());
    let wanted = Upload {
        bucket: &bucket,
        name: &path.name,
        owner: owner.as_deref(),
        overwrite: overwrite.unwrap_or(if replaces { Overwrite::Yes } else { Overwrite::No }),
        by: LetBy::Policies(asker.act(settings)),
    };
    let uploaded = upload(&storage, &parts, body, wanted).await?;
    Ok(Json(UploadedObject { id: uploaded.id, key: uploaded.key }))
}
