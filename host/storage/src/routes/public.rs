//! Objects of public buckets are read by everybody.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use behalf_web::{Routes, routes as group};
use http::HeaderMap;

use super::download::answer;
use super::object_path::ObjectPath;
use crate::asset;
use crate::caller::Stranger;
use crate::error::{StorageError, StorageProblem};
use crate::state::Storage;

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(group!(get, head))
}

/// Downloads an object of a public bucket. No token is needed.
#[utoipa::path(
    get, path = "/storage/v1/object/public/{bucket}/{*name}", tag = "Objects", operation_id = "storage_get_public",
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
    _: Stranger,
    path: ObjectPath,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, StorageError> {
    let object = asset::public(&storage, &path.bucket, &path.name).await?;
    answer(&storage, &headers, &object, query.as_deref()).await
}

/// The headers of an object of a public bucket.
#[utoipa::path(
    head, path = "/storage/v1/object/public/{bucket}/{*name}", tag = "Objects", operation_id = "storage_head_public",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object.")),
    responses((status = 200, description = "The headers"), (status = 400, description = "There is no such object in a public bucket"))
)]
async fn head(
    State(storage): State<Storage>,
    _: Stranger,
    path: ObjectPath,
    headers: HeaderMap,
) -> Result<Response, StorageError> {
    let object = asset::public(&storage, &path.bucket, &path.name).await?;
    Ok(asset::head(&headers, &object))
}
