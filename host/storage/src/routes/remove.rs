//! Objects are deleted: their rows as the caller, their bytes with the rows.

use axum::extract::State;
use behalf_web::{ApiError, Json, Path, Routes, routes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::object_path::ObjectPath;
use crate::body::Body;
use crate::caller::Asker;
use crate::error::{StorageError, StorageProblem};
use crate::name::{BucketId, ObjectName};
use crate::object::Object;
use crate::state::Storage;
use crate::store::objects;
use crate::store::visible::array;

/// Names that one statement deletes: the answer has all metadata of each, which may be a megabyte.
const BATCH: usize = 50;

/// What policies and triggers see.
const ONE: &[&str] =
    &["SET LOCAL storage.operation = 'storage.object.delete'", "SET LOCAL storage.allow_delete_query = 'true'"];
const MANY: &[&str] =
    &["SET LOCAL storage.operation = 'storage.object.delete_many'", "SET LOCAL storage.allow_delete_query = 'true'"];

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(delete_one)).routes(routes!(delete_many))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StoragePrefixes)]
struct Prefixes {
    /// Whole names, whatever the field is called.
    prefixes: Vec<String>,
}

/// An object as answers describe it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageObjectRow)]
pub(super) struct ObjectRow {
    name: String,
    bucket_id: String,
    /// Empty where nobody owns it.
    owner: String,
    owner_id: String,
    version: String,
    id: String,
    updated_at: Option<String>,
    created_at: Option<String>,
    last_accessed_at: Option<String>,
    metadata: Option<Value>,
    user_metadata: Option<Value>,
}

impl From<Object> for ObjectRow {
    fn from(object: Object) -> Self {
        let owner = object.owner.unwrap_or_default();
        Self {
            name: object.name,
            bucket_id: object.bucket,
            owner: if uuid::Uuid::try_parse(&owner).is_ok() { owner.clone() } else { String::new() },
            owner_id: owner,
            version: object.version.unwrap_or_default(),
            id: object.id,
            updated_at: object.updated_at,
            last_accessed_at: object.created_at.clone(),
            created_at: object.created_at,
            metadata: object.metadata,
            user_metadata: object.user_metadata,
        }
    }
}

/// Deletes an object.
#[utoipa::path(
    delete, path = "/storage/v1/object/{bucket}/{*name}", tag = "Objects", operation_id = "storage_delete_object",
    params(("bucket" = String, Path, description = "The bucket"), ("name" = String, Path, description = "The object")),
    responses(
        (status = 200, description = "It is gone", body = Value),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn delete_one(
    State(storage): State<Storage>,
    caller: Asker,
    path: ObjectPath,
) -> Result<Json<Value>, StorageError> {
    let (bucket, name) = (BucketId::parse(&path.bucket)?, ObjectName::parse(&path.name)?);
    let names = array(&[name.as_str().to_owned()]);
    let deleted = objects::delete(&storage, caller.act(ONE), bucket.as_str(), &names).await?;
    if deleted.is_empty() {
        // Whether there is an object that the caller may not see is not told. The service role sees all of them.
        let is_service = caller.principal().is_service();
        return Err(if is_service { StorageError::no_object() } else { StorageError::denied("Access denied") });
    }
    Ok(Json(json!({ "message": "Successfully deleted" })))
}

/// Deletes those of the named objects that the caller may delete, and answers with them.
#[utoipa::path(
    delete, path = "/storage/v1/object/{bucket}", tag = "Objects", operation_id = "storage_delete_objects",
    params(("bucket" = String, Path, description = "The bucket")),
    request_body = Prefixes,
    responses(
        (status = 200, description = "What was deleted", body = Vec<ObjectRow>),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn delete_many(
    State(storage): State<Storage>,
    caller: Asker,
    path: Result<Path<String>, ApiError>,
    Body(Prefixes { prefixes }): Body<Prefixes>,
) -> Result<Json<Vec<ObjectRow>>, StorageError> {
    let Path(bucket) = path?;
    let bucket = BucketId::parse(&bucket)?;
    if prefixes.is_empty() {
        return Err(StorageError::malformed("body/prefixes must NOT have fewer than 1 items"));
    }
    let mut deleted = Vec::new();
    for names in prefixes.chunks(BATCH) {
        deleted.extend(objects::delete(&storage, caller.act(MANY), bucket.as_str(), &array(names)).await?);
    }
    Ok(Json(deleted.into_iter().map(ObjectRow::from).collect()))
}
