//! The end of an upload: its bytes become one blob, and the object's row names it.

use behalf_blobs::Stored;

use super::answer::TusError;
use super::lock::UploadLock;
use super::metadata;
use super::uploader::Uploader;
use crate::error::StorageError;
use crate::object::NewObject;
use crate::state::Storage;
use crate::store::objects;
use crate::store::uploads::{self, Upload};
use crate::upload::facts::{ANY_TYPE, Facts};

/// What policies see as the operation.
const OPERATION: &[&str] = &["SET LOCAL storage.operation = 'storage.tus.upload.part'"];

/// Whether all bytes are there.
pub(super) fn is_whole(upload: &Upload) -> bool {
    upload.size == Some(upload.received)
}

/// Writes the object's row as whoever sent the upload. It may be repeated after a failure.
pub(super) async fn complete(
    storage: &Storage,
    lock: &UploadLock,
    upload: &Upload,
    uploader: &Uploader,
) -> Result<(), TusError> {
    let version = upload.id.to_string();
    if upload.is_completed || is_named(storage, upload, &version).await? {
        return Ok(());
    }
    let stored = put_together(storage, lock, upload).await?;
    let facts = Facts {
        mime_type: metadata::value(&upload.metadata.0, "contentType").unwrap_or(ANY_TYPE).to_owned(),
        cache_control: metadata::cache_control(&upload.metadata.0),
        robots: None,
    };
    let (owner, user_metadata) = (uploader.owner(), metadata::of_app(&upload.metadata.0));
    let row = NewObject {
        bucket: &upload.bucket_id,
        name: &upload.name,
        version: Some(&version),
        owner: owner.as_deref(),
        metadata: &facts.stored(&stored),
        user_metadata: user_metadata.as_deref(),
    };
    Ok(uploader.put(storage, OPERATION, &row).await?)
}

/// Whether the object's row names the bytes already: a host was killed after it had written the row.
async fn is_named(storage: &Storage, upload: &Upload, version: &str) -> Result<bool, TusError> {
    if upload.etag.is_none() {
        return Ok(false);
    }
    let found = objects::look(storage, &upload.bucket_id, &upload.name).await?;
    Ok(found.and_then(|(_, object)| object).is_some_and(|object| object.version.as_deref() == Some(version)))
}

async fn put_together(storage: &Storage, lock: &UploadLock, upload: &Upload) -> Result<Stored, TusError> {
    if let (Some(etag), Some(modified)) = (&upload.etag, upload.stored_at) {
        let size = u64::try_from(upload.received).unwrap_or_default();
        return Ok(Stored { size, etag: etag.clone(), modified });
    }
    let finished = upload.parts.0.clone().finish(&storage.blobs);
    // It goes on where another request waits: that one needs the whole as well.
    let stored = lock.hold(storage, || (), finished).await.map_err(StorageError::from)?;
    let is_ours = uploads::put_together(&storage.db, upload.id, lock.key(), &stored.etag, stored.modified).await?;
    if is_ours { Ok(stored) } else { Err(TusError::taken_over()) }
}
