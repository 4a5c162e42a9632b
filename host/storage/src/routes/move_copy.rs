//! Objects get another name, or a second one with bytes of its own.

use axum::extract::State;
use axum::http::HeaderMap;
use behalf_blobs::{BlobId, BlobPurpose, Stored};
use behalf_caller_db::FixedAccess;
use behalf_web::{Json, Routes, header, routes};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::kept_metadata::kept_metadata;
use super::lenient;
use super::remove::ObjectRow;
use crate::body::Body;
use crate::caller::Asker;
use crate::error::{StorageError, StorageProblem};
use crate::name::{BucketId, ObjectName};
use crate::object::{NewObject, Object, Overwrite};
use crate::state::Storage;
use crate::store::objects;
use crate::upload::facts::{ANY_TYPE, check_allowed};

/// What policies see as the operation.
const COPY: &[&str] = &["SET LOCAL storage.operation = 'storage.object.copy'"];
const MOVE: &[&str] = &["SET LOCAL storage.operation = 'storage.object.move'"];

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(move_object)).routes(routes!(copy_object))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StorageNames)]
struct Names {
    /// The bucket of the object.
    bucket_id: String,
    /// Its name.
    source_key: String,
    /// The bucket where it will be; the same if it is missing.
    destination_bucket: Option<String>,
    /// Its name there.
    destination_key: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StorageCopy)]
struct CopyRequest {
    #[serde(flatten)]
    names: Names,
    /// Whether the copy has all metadata of the original, which is so if this is missing.
    #[serde(default, deserialize_with = "lenient::truth")]
    copy_metadata: Option<bool>,
    /// What the copy has otherwise.
    metadata: Option<NewMetadata>,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StorageNewMetadata)]
struct NewMetadata {
    /// How long caches may keep it.
    cache_control: Option<String>,
    /// Its type.
    mimetype: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageCopied)]
struct Copied {
    /// The id of the copy.
    #[serde(rename = "Id")]
    id: String,
    /// Its bucket and name.
    #[serde(rename = "Key")]
    key: String,
    #[serde(flatten)]
    object: ObjectRow,
}

/// Where from and where to.
struct Way {
    from: (BucketId, ObjectName),
    to: (BucketId, ObjectName),
}

impl Way {
    fn parse(names: &Names) -> Result<Self, StorageError> {
        let from = BucketId::parse(&names.bucket_id)?;
        let destination = names.destination_bucket.as_deref().filter(|bucket| !bucket.is_empty());
        let to = destination.map_or_else(|| Ok(from.clone()), BucketId::parse)?;
        Ok(Self {
            from: (from, ObjectName::parse(&names.source_key)?),
            to: (to, ObjectName::parse(&names.destination_key)?),
        })
    }

    fn source(&self) -> (&str, &str) {
        (self.from.0.as_str(), self.from.1.as_str())
    }

    fn destination<'a>(&'a self, owner: Option<&'a str>, metadata: &'a str) -> NewObject<'a> {
        let (bucket, name) = (self.to.0.as_str(), self.to.1.as_str());
        NewObject { bucket, name, version: None, owner, metadata, user_metadata: None }
    }
}

/// Gives an object another name, in its bucket or another one. The caller needs the rights to read and to change it.
#[utoipa::path(
    post, path = "/storage/v1/object/move", tag = "Objects", operation_id = "storage_move_object",
    request_body = Names,
    responses(
        (status = 200, description = "It has the new name", body = Value),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn move_object(
    State(storage): State<Storage>,
    caller: Asker,
    Body(names): Body<Names>,
) -> Result<Json<Value>, StorageError> {
    let way = Way::parse(&names)?;
    if way.from.0 != way.to.0 {
        let (bucket, name) = way.source();
        let source = objects::find(&storage, caller.act(MOVE), bucket, name).await?;
        check_limits(&storage, &way, &source.ok_or_else(StorageError::no_object)?, None).await?;
    }
    let owner = caller.owner();
    // An object that is there already is only asked about.
    let access = if way.from == way.to { FixedAccess::Try } else { FixedAccess::Write };
    let to = way.destination(owner.as_deref(), "{}");
    let moved = objects::rename(&storage, caller.act(MOVE), access, way.source(), &to).await?;
    let id = moved.ok_or_else(StorageError::no_object)?;
    Ok(Json(json!({ "message": "Successfully moved", "Id": id, "Key": way.to.1.as_str() })))
}

/// Copies an object. The caller needs the right to read it and to write the copy; with `x-upsert: true` the copy may replace an
/// object.
#[utoipa::path(
    post, path = "/storage/v1/object/copy", tag = "Objects", operation_id = "storage_copy_object",
    request_body = CopyRequest,
    responses(
        (status = 200, description = "The copy", body = Copied),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn copy_object(
    State(storage): State<Storage>,
    caller: Asker,
    headers: HeaderMap,
    Body(copy): Body<CopyRequest>,
) -> Result<Json<Copied>, StorageError> {
    let way = Way::parse(&copy.names)?;
    let (bucket, name) = way.source();
    let source = objects::find(&storage, caller.act(COPY), bucket, name).await?.ok_or_else(StorageError::no_object)?;
    let keeps_all = copy.copy_metadata.unwrap_or(true);
    let changes = if keeps_all { NewMetadata::default() } else { copy.metadata.unwrap_or_default() };
    check_limits(&storage, &way, &source, changes.mimetype.as_deref()).await?;
    let metadata = changed(&source, changes)?;
    let kept = source.user_metadata.as_ref().map(Value::to_string);
    let user_metadata = if keeps_all { kept } else { kept_metadata(&headers)? };
    let overwrite = if header(&headers, "x-upsert")? == Some("true") { Overwrite::Yes } else { Overwrite::No };
    let (owner, tried) = (caller.owner(), Value::Object(metadata.clone()).to_string());
    let row = NewObject { user_metadata: user_metadata.as_deref(), ..way.destination(owner.as_deref(), &tried) };
    objects::try_put(&storage, caller.act(COPY), &row, overwrite).await?;
    let version = source.version.as_deref().and_then(|version| version.parse::<BlobId>().ok());
    let purpose = BlobPurpose::Object { bucket: row.bucket, name: row.name };
    let mut blob = storage.blobs.begin(purpose).await?;
    let stored = storage.blobs.copy(version.ok_or_else(StorageError::no_object)?, &mut blob).await?;
    let (version, written) = (blob.id().to_string(), with_bytes(metadata, &stored).to_string());
    let row = NewObject { metadata: &written, ..row.with_version(&version) };
    let id = objects::put(&storage, caller.act(COPY), &row, overwrite).await?;
    blob.keep();
    let key = format!("{}/{}", row.bucket, row.name);
    let copied = objects::look(&storage, row.bucket, row.name).await?.and_then(|(_, object)| object);
    let object = copied.filter(|object| object.id == id).ok_or_else(StorageError::no_object)?;
    Ok(Json(Copied { id, key, object: object.into() }))
}

/// What another bucket does not take, nobody brings there by a copy.
async fn check_limits(
    storage: &Storage,
    way: &Way,
    source: &Object,
    mimetype: Option<&str>,
) -> Result<(), StorageError> {
    if way.from.0 == way.to.0 && mimetype.is_none() {
        return Ok(());
    }
    let bucket = objects::bucket(storage, way.to.0.as_str()).await?.ok_or_else(StorageError::no_bucket)?;
    if source.number("size") > Some(bucket.file_size_limit.unwrap_or(u64::MAX)) {
        let message = "The object exceeded the maximum allowed size";
        return Err(StorageError::new(413, "EntityTooLarge", message).named("Payload too large"));
    }
    check_allowed(mimetype.or_else(|| source.text("mimetype")).unwrap_or(ANY_TYPE), &bucket.allowed_mime_types)
}

/// The metadata of the original with what the copy has instead.
fn changed(source: &Object, changes: NewMetadata) -> Result<Map<String, Value>, StorageError> {
    let mut metadata = source.metadata.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, value) in [("cacheControl", changes.cache_control), ("mimetype", changes.mimetype)] {
        let Some(value) = value else { continue };
        if HeaderValue::from_str(&value).is_err() {
            return Err(StorageError::new(400, "InvalidParameter", format!("Invalid Parameter {name}")));
        }
        metadata.insert(name.to_owned(), value.into());
    }
    Ok(metadata)
}

fn with_bytes(mut metadata: Map<String, Value>, stored: &Stored) -> Value {
    metadata.insert("eTag".to_owned(), stored.etag.clone().into());
    metadata.insert("size".to_owned(), stored.size.into());
    metadata.insert("contentLength".to_owned(), stored.size.into());
    let modified = stored.modified.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    metadata.insert("lastModified".to_owned(), modified.into());
    Value::Object(metadata)
}
