//! Begins an upload.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use behalf_blobs::BlobPurpose;
use http::{HeaderValue, Method, StatusCode};
use uuid::Uuid;

use super::answer::{TUS_COMPLETE, TusError, UPLOAD_EXPIRES, UPLOAD_OFFSET, empty};
use super::complete::{complete, is_whole};
use super::headers::TusHeaders;
use super::id::UploadId;
use super::lock::UploadLock;
use super::receive::receive;
use super::uploader::{Gate, Uploader};
use super::{PATH, SIGNED_PATH, body_limit, detached, metadata};
use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};
use crate::object::NewObject;
use crate::routes::kept_metadata;
use crate::state::Storage;
use crate::store::objects::{self, BucketLook};
use crate::store::uploads::{self, Metadata, NewUpload, Upload};
use crate::upload::facts::{ANY_TYPE, Facts, check_allowed, wrong_type};

/// What policies see as the operation.
const OPERATION: &[&str] = &["SET LOCAL storage.operation = 'storage.tus.upload.create'"];

/// What is begun.
struct Plan {
    bucket: BucketId,
    name: ObjectName,
    metadata: Metadata,
    uploader: Uploader,
    /// How many bytes there will be, if that is known.
    size: Option<u64>,
    /// The most bytes that there may be.
    limit: u64,
    /// Whether the body has bytes of it.
    has_bytes: bool,
    /// How many, if the client says so.
    body_length: Option<u64>,
}

/// Begins an upload, with the first bytes of it if the body has them.
pub(super) async fn create(storage: Storage, gate: Gate, headers: HeaderMap, body: Body) -> Result<Response, TusError> {
    let path = if gate.is_signed() { SIGNED_PATH } else { PATH };
    let plan = plan(&storage, gate, &headers).await?;
    detached(async move {
        let _place = if plan.has_bytes { Some(storage.uploads.take(plan.uploader.key()).await?) } else { None };
        let (lock, mut upload) = store(&storage, &plan).await?;
        let done = begin(&storage, &lock, &mut upload, &plan, body).await;
        lock.release(&storage, matches!(done, Ok(true))).await;
        let is_complete = done?;
        let id = UploadId { bucket: plan.bucket, name: plan.name, version: upload.id }.write();
        let location = format!("{}{path}/{id}", storage.options.public_url);
        Ok(created(&location, &upload, is_complete, plan.has_bytes))
    })
    .await
}

/// Checks the request, and that its sender may write the object.
async fn plan(storage: &Storage, gate: Gate, headers: &HeaderMap) -> Result<Plan, TusError> {
    let tus = TusHeaders::read(&Method::POST, headers)?;
    if tus.length.is_some() == tus.is_deferred {
        return Err(TusError::length());
    }
    let Some(metadata) = tus.metadata else { return Err(TusError::new(400, "Metadata header is required")) };
    let bucket = BucketId::parse(metadata::value(&metadata, "bucketName").unwrap_or_default())?;
    let name = ObjectName::parse(metadata::value(&metadata, "objectName").unwrap_or_default())?;
    // Before the bucket is looked at: a stranger learns of no bucket.
    let uploader = gate.open(storage, headers, tus.upsert, &bucket, &name)?;
    let looked = objects::look(storage, bucket.as_str(), name.as_str()).await?;
    let (bucket_look, existing) = looked.ok_or_else(StorageError::no_bucket)?;
    let limit = most(storage, &bucket_look);
    if tus.length.is_some_and(|length| length > limit) {
        return Err(TusError::too_large());
    }
    let mime_type = metadata::value(&metadata, "contentType").unwrap_or(ANY_TYPE).to_owned();
    // A type that no header can hold would break each download.
    HeaderValue::from_str(&mime_type).map_err(|_| wrong_type("Invalid Content-Type header".to_owned()))?;
    check_allowed(&mime_type, &bucket_look.allowed_mime_types)?;
    let facts = Facts { mime_type, cache_control: metadata::cache_control(&metadata), robots: None };
    let (owner, user_metadata) = (uploader.owner(), metadata::of_app(&metadata));
    kept_metadata::check(user_metadata.as_deref())?;
    let row = NewObject {
        bucket: bucket.as_str(),
        name: name.as_str(),
        version: None,
        owner: owner.as_deref(),
        metadata: &facts.expected(tus.length),
        user_metadata: user_metadata.as_deref(),
    };
    uploader.try_put(storage, OPERATION, &row, existing.is_some()).await?;
    let (size, has_bytes, body_length) = (tus.length, tus.has_bytes, tus.body_length);
    Ok(Plan { bucket, name, metadata, uploader, size, limit, has_bytes, body_length })
}

/// The most bytes of an object in the bucket.
pub(super) fn most(storage: &Storage, bucket: &BucketLook) -> u64 {
    let limit = storage.options.file_size_limit;
    bucket.file_size_limit.map_or(limit, |of_bucket| of_bucket.min(limit))
}

/// Stores the upload's row, locked.
async fn store(storage: &Storage, plan: &Plan) -> Result<(UploadLock, Upload), TusError> {
    let purpose = BlobPurpose::Object { bucket: plan.bucket.as_str(), name: plan.name.as_str() };
    let parts = storage.blobs.begin_parts(purpose).await.map_err(StorageError::from)?;
    // An id of a blob is one, written out.
    let id = Uuid::try_parse(&parts.id().to_string()).map_err(|error| StorageError::internal(&error))?;
    let lock = UploadLock::of_new(id);
    let upload = NewUpload {
        bucket: plan.bucket.as_str(),
        name: plan.name.as_str(),
        actor: &plan.uploader.actor(),
        size: plan.size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
        metadata: &plan.metadata,
        parts: &parts,
        rest: storage.options.upload_expiry,
    };
    match uploads::insert(&storage.db, id, lock.key(), &upload).await {
        Ok(upload) => Ok((lock, upload)),
        Err(error) => {
            // What cannot be deleted now is swept later.
            parts.abort(&storage.blobs).await.ok();
            Err(error.into())
        }
    }
}

/// Receives what the body has of it, and completes it if that is all. Whether it is complete.
async fn begin(
    storage: &Storage,
    lock: &UploadLock,
    upload: &mut Upload,
    plan: &Plan,
    body: Body,
) -> Result<bool, TusError> {
    if plan.has_bytes {
        let left = body_limit(upload, plan.limit, plan.body_length)?;
        receive(storage, lock, upload, body, left).await?;
    }
    if !is_whole(upload) {
        return Ok(false);
    }
    complete(storage, lock, upload, &plan.uploader).await?;
    Ok(true)
}

fn created(location: &str, upload: &Upload, is_complete: bool, has_bytes: bool) -> Response {
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(location) {
        headers.insert(http::header::LOCATION, location);
    }
    if has_bytes {
        headers.insert(UPLOAD_OFFSET, upload.received.into());
    }
    if is_complete {
        headers.insert(TUS_COMPLETE, HeaderValue::from_static("1"));
    } else if let Ok(expires) = HeaderValue::from_str(&super::http_date(upload.expires_at)) {
        headers.insert(UPLOAD_EXPIRES, expires);
    }
    response
}
