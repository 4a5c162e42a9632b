//! Says how much of an upload has come.

use axum::http::HeaderMap;
use axum::response::Response;
use http::header::CACHE_CONTROL;
use http::{HeaderName, HeaderValue, Method, StatusCode};

use super::answer::{TusError, UPLOAD_EXPIRES, UPLOAD_OFFSET, empty};
use super::complete::{complete, is_whole};
use super::headers::TusHeaders;
use super::lock::UploadLock;
use super::uploader::{Gate, Uploader};
use super::{detached, metadata, of_sender};
use crate::state::Storage;
use crate::store::uploads::Upload;

const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// Says how much has come. It waits for a request that appends, so that the client goes on at the right place.
pub(super) async fn head(storage: Storage, gate: Gate, id: &str, headers: HeaderMap) -> Result<Response, TusError> {
    let tus = TusHeaders::read(&Method::HEAD, &headers)?;
    let (found, uploader) = of_sender(&storage, gate, id, &headers, tus.upsert).await?;
    if found.is_expired {
        return Err(TusError::expired());
    }
    if found.is_completed {
        return Ok(described(&found));
    }
    detached(async move {
        let (lock, upload) = UploadLock::take(&storage, found.id).await?;
        let done = settle(&storage, &lock, &upload, &uploader).await;
        lock.release(&storage, matches!(done, Ok(true))).await;
        done.map(|_| described(&upload))
    })
    .await
}

/// A client that hears that all bytes have come sends no more, and takes the object for written. So it is written now, if the host
/// that received the last bytes was killed before it could.
async fn settle(storage: &Storage, lock: &UploadLock, upload: &Upload, uploader: &Uploader) -> Result<bool, TusError> {
    if !is_whole(upload) {
        return Ok(false);
    }
    complete(storage, lock, upload, uploader).await?;
    Ok(true)
}

fn described(upload: &Upload) -> Response {
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(UPLOAD_OFFSET, upload.received.into());
    match upload.size {
        Some(size) => headers.insert(UPLOAD_LENGTH, size.into()),
        None => headers.insert(UPLOAD_DEFER_LENGTH, HeaderValue::from_static("1")),
    };
    if let Ok(text) = HeaderValue::from_str(&metadata::write(&upload.metadata.0)) {
        headers.insert(UPLOAD_METADATA, text);
    }
    if let (false, Ok(expires)) = (upload.is_completed, HeaderValue::from_str(&super::http_date(upload.expires_at))) {
        headers.insert(UPLOAD_EXPIRES, expires);
    }
    response
}
