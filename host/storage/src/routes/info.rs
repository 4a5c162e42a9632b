//! What is known of an object.

use axum::extract::State;
use axum::response::Response;
use behalf_caller_db::FixedSetting;
use behalf_web::{Routes, routes as group};

use super::object_path::ObjectPath;
use crate::asset::{self, ObjectInfo, readable};
use crate::caller::{Asker, Reader, Stranger};
use crate::error::{StorageError, StorageProblem};
use crate::state::Storage;

const INFO: &[FixedSetting] = &["SET LOCAL storage.operation = 'object.get_authenticated_info'"];

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(group!(info)).routes(group!(info_authenticated)).routes(group!(info_public))
}

/// What is known of an object that the caller may read, or of one of a public bucket.
#[utoipa::path(
    get, path = "/storage/v1/object/info/{bucket}/{*name}", tag = "Objects", operation_id = "storage_info",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "Nothing is read of it.")),
    responses((status = 200, description = "What is known", body = ObjectInfo),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn info(State(storage): State<Storage>, reader: Reader, path: ObjectPath) -> Result<Response, StorageError> {
    readable(&storage, reader.act(INFO), &path.bucket, &path.name).await.map(asset::info)
}

/// What is known of an object that the caller may read.
#[utoipa::path(
    get, path = "/storage/v1/object/info/authenticated/{bucket}/{*name}", tag = "Objects", operation_id = "storage_info_authenticated",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "Nothing is read of it.")),
    responses((status = 200, description = "What is known", body = ObjectInfo),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn info_authenticated(
    State(storage): State<Storage>,
    asker: Asker,
    path: ObjectPath,
) -> Result<Response, StorageError> {
    readable(&storage, Some(asker.act(INFO)), &path.bucket, &path.name).await.map(asset::info)
}

/// What is known of an object of a public bucket. No token is needed.
#[utoipa::path(
    get, path = "/storage/v1/object/info/public/{bucket}/{*name}", tag = "Objects", operation_id = "storage_info_public",
    params(("bucket" = String, Path, description = "The bucket."), ("name" = String, Path, description = "The name of the object."),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "Nothing is read of it.")),
    responses((status = 200, description = "What is known", body = ObjectInfo),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn info_public(State(storage): State<Storage>, _: Stranger, path: ObjectPath) -> Result<Response, StorageError> {
    asset::public(&storage, &path.bucket, &path.name).await.map(asset::info)
}
