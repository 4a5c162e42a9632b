//! Appends bytes to an upload.

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use http::{HeaderValue, Method, StatusCode};

use super::answer::{TUS_COMPLETE, TusError, UPLOAD_EXPIRES, UPLOAD_OFFSET, empty};
use super::complete::{complete, is_whole};
use super::create::most;
use super::headers::TusHeaders;
use super::lock::UploadLock;
use super::receive::receive;
use super::uploader::{Gate, Uploader};
use super::{body_limit, detached, of_sender};
use crate::error::StorageError;
use crate::state::Storage;
use crate::store::objects;
use crate::store::uploads::{self, Upload};

/// A request that appends.
struct Patch {
    uploader: Uploader,
    offset: u64,
    /// How many bytes the whole has, where that is told now.
    length: Option<u64>,
    body_length: Option<u64>,
    body: Body,
}

/// Appends the body at the offset that the client names, and completes the upload if that was all.
pub(super) async fn patch(
    storage: Storage,
    gate: Gate,
    id: &str,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, TusError> {
    let tus = TusHeaders::read(&Method::PATCH, &headers)?;
    let Some(offset) = tus.offset else { return Err(TusError::new(403, "Upload-Offset header required\n")) };
    if !tus.has_bytes {
        return Err(TusError::new(403, "Content-Type header required\n"));
    }
    let (found, uploader) = of_sender(&storage, gate, id, &headers, tus.upsert).await?;
    let patch = Patch { uploader, offset, length: tus.length, body_length: tus.body_length, body };
    // Whether or not the client stays: what came is stored, and the lock freed.
    detached(async move {
        // Before the lock, which lasts for seconds.
        let _place = storage.uploads.take(patch.uploader.key()).await?;
        let (lock, mut upload) = UploadLock::take(&storage, found.id).await?;
        let done = append(&storage, &lock, &mut upload, patch).await;
        lock.release(&storage, matches!(done, Ok(true))).await;
        Ok(appended(&upload, done?))
    })
    .await
}

/// Whether the upload is complete now.
async fn append(storage: &Storage, lock: &UploadLock, upload: &mut Upload, patch: Patch) -> Result<bool, TusError> {
    if upload.is_expired {
        return Err(TusError::expired());
    }
    if u64::try_from(upload.received) != Ok(patch.offset) {
        return Err(TusError::new(409, "Upload-Offset conflict\n"));
    }
    let bucket = objects::bucket(storage, &upload.bucket_id).await?.ok_or_else(StorageError::no_bucket)?;
    let limit = most(storage, &bucket);
    if let Some(length) = patch.length {
        declare(storage, lock, upload, length, limit).await?;
    }
    let left = body_limit(upload, limit, patch.body_length)?;
    if !upload.is_completed {
        receive(storage, lock, upload, patch.body, left).await?;
    }
    if !is_whole(upload) {
        return Ok(false);
    }
    complete(storage, lock, upload, &patch.uploader).await?;
    Ok(true)
}

/// The length of an upload that was begun without one.
async fn declare(
    storage: &Storage,
    lock: &UploadLock,
    upload: &mut Upload,
    length: u64,
    limit: u64,
) -> Result<(), TusError> {
    let size = i64::try_from(length).unwrap_or(i64::MAX);
    if upload.size.is_some() || size < upload.received {
        return Err(TusError::length());
    }
    if length > limit {
        return Err(TusError::too_large());
    }
    if !uploads::declare(&storage.db, upload.id, lock.key(), size).await? {
        return Err(TusError::taken_over());
    }
    upload.size = Some(size);
    Ok(())
}

fn appended(upload: &Upload, is_complete: bool) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, upload.received.into());
    if is_complete {
        headers.insert(TUS_COMPLETE, HeaderValue::from_static("1"));
    } else if let Ok(expires) = HeaderValue::from_str(&super::http_date(upload.expires_at)) {
        headers.insert(UPLOAD_EXPIRES, expires);
    }
    response
}
