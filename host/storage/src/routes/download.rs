//! Objects are read by those who may.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use behalf_caller_db::FixedSetting;
use behalf_web::{Routes, routes as group};
use http::HeaderMap;
use url::form_urlencoded;

use super::object_path::ObjectPath;
use crate::asset::{self, Wish, readable};
use crate::caller::{Asker, Reader};
use crate::error::{StorageError, StorageProblem};
use crate::state::Storage;

const GET: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.get_authenticated'"];
const HEAD: &[FixedSetting] = &["SET LOCAL storage.operation = 'object.head_authenticated_info'"];

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(group!(get, head)).routes(group!(get_authenticated, head_authenticated))
}

/// Downloads an object, as the caller, or one of a public bucket. It streams; one part can be asked for.
#[utoipa::path(
    get, path = "/storage/v1/object/{bucket}/{*name}", tag = "Objects", operation_id = "storage_get",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`download`: the name under which browsers save it."),
        ("range" = Option<String>, Header, description = "One part of the bytes."),
        ("if-none-match" = Option<String>, Header, description = "The tag of the bytes that the client has.")),
    responses((status = 200, description = "The bytes", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "The client has them already"), (status = 416, description = "There is no such part", body = StorageProblem),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn get(
    State(storage): State<Storage>,
    reader: Reader,
    path: ObjectPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, StorageError> {
    let object = readable(&storage, reader.act(GET), &path.bucket, &path.name).await?;
    answer(&storage, &headers, &object, query.as_deref()).await
}

/// The headers of an object, without its bytes.
#[utoipa::path(
    head, path = "/storage/v1/object/{bucket}/{*name}", tag = "Objects", operation_id = "storage_head",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object.")),
    responses((status = 200, description = "The headers"), (status = 400, description = "There is no such object for the caller"))
)]
async fn head(
    State(storage): State<Storage>,
    reader: Reader,
    path: ObjectPath,
    headers: HeaderMap,
) -> Result<Response, StorageError> {
    let object = readable(&storage, reader.act(HEAD), &path.bucket, &path.name).await?;
    Ok(asset::head(&headers, &object))
}

/// Downloads an object, as the caller.
#[utoipa::path(
    get, path = "/storage/v1/object/authenticated/{bucket}/{*name}", tag = "Objects", operation_id = "storage_get_authenticated",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "`download`: the name under which browsers save it."),
        ("range" = Option<String>, Header, description = "One part of the bytes."),
        ("if-none-match" = Option<String>, Header, description = "The tag of the bytes that the client has.")),
    responses((status = 200, description = "The bytes", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "The client has them already"), (status = 416, description = "There is no such part", body = StorageProblem),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn get_authenticated(
    State(storage): State<Storage>,
    asker: Asker,
    path: ObjectPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, StorageError> {
    let object = readable(&storage, Some(asker.act(GET)), &path.bucket, &path.name).await?;
    answer(&storage, &headers, &object, query.as_deref()).await
}

/// The headers of an object that the caller may read.
#[utoipa::path(
    head, path = "/storage/v1/object/authenticated/{bucket}/{*name}", tag = "Objects", operation_id = "storage_head_authenticated",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object.")),
    responses((status = 200, description = "The headers"), (status = 400, description = "There is no such object for the caller"))
)]
async fn head_authenticated(
    State(storage): State<Storage>,
    asker: Asker,
    path: ObjectPath,
    headers: HeaderMap,
) -> Result<Response, StorageError> {
    let object = readable(&storage, Some(asker.act(HEAD)), &path.bucket, &path.name).await?;
    Ok(asset::head(&headers, &object))
}

/// Answers with the bytes, as the query asks for them.
pub(super) async fn answer(
    storage: &Storage,
    headers: &HeaderMap,
    object: &crate::object::Object,
    query: Option<&str>,
) -> Result<Response, StorageError> {
    let download = download_name(query);
    asset::get(storage, headers, object, Wish { download: download.as_deref(), expires: None }).await
}

/// The parameter `download`: the name under which browsers save the object; empty for its own.
pub(super) fn download_name(query: Option<&str>) -> Option<String> {
    let mut all = form_urlencoded::parse(query?.as_bytes());
    all.find(|(name, _)| name == "download").map(|(_, value)| value.into_owned())
}
