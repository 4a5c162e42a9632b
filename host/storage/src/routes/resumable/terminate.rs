//! Ends uploads that are not wanted any more: their bytes are deleted.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::Response;
use behalf_problem::LogText as _;
use behalf_queue::Workers;
use http::{Method, StatusCode};
use uuid::Uuid;

use super::answer::{TusError, empty};
use super::headers::TusHeaders;
use super::lock::UploadLock;
use super::uploader::Gate;
use super::{detached, of_sender};
use crate::error::StorageError;
use crate::state::Storage;
use crate::store::uploads;

/// How often expired uploads are looked for.
const PERIOD: Duration = Duration::from_mins(1);

/// Ends an upload of the caller's.
pub(super) async fn terminate(
    storage: Storage,
    gate: Gate,
    id: &str,
    headers: HeaderMap,
) -> Result<Response, TusError> {
    let tus = TusHeaders::read(&Method::DELETE, &headers)?;
    let (found, _) = of_sender(&storage, gate, id, &headers, tus.upsert).await?;
    detached(async move {
        let (lock, upload) = UploadLock::take(&storage, found.id).await?;
        if upload.is_completed {
            lock.release(&storage, false).await;
            return Err(TusError::new(400, "Cannot terminate an already completed upload"));
        }
        if let Err(error) = upload.parts.0.abort(&storage.blobs).await {
            lock.release(&storage, false).await;
            return Err(StorageError::from(error).into());
        }
        lock.delete_row(&storage).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    })
    .await
}

impl Storage {
    /// Deletes uploads that have expired, at one host of all at a time. What one leaves behind is locked for seconds only, so the next
    /// turn finds it.
    pub fn sweep_uploads(&self, workers: &mut Workers) {
        let storage = self.clone();
        workers.every("expire-uploads", PERIOD, move || {
            let storage = storage.clone();
            async move { sweep(&storage).await }
        });
    }
}

async fn sweep(storage: &Storage) -> Result<(), sqlx::Error> {
    let lock = Uuid::new_v4();
    loop {
        let expired = uploads::lock_expired(&storage.db, lock).await?;
        let mut is_over = expired.is_empty();
        for upload in expired {
            if !upload.is_completed
                && let Err(error) = upload.parts.0.abort(&storage.blobs).await
            {
                tracing::warn!(
                    error = error.log_text(),
                    "the bytes of an expired upload could not be deleted; trying again later"
                );
                is_over = true;
                continue;
            }
            uploads::delete(&storage.db, upload.id, lock).await?;
        }
        if is_over {
            return Ok(());
        }
    }
}
