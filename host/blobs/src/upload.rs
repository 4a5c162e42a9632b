//! A blob that comes in parts, which any host may write.

use bytes::Bytes;
use futures::Stream;
use serde::{Deserialize, Serialize};

use crate::error::{BlobError, WriteError};
use crate::id::BlobId;
use crate::store::Blobs;
use crate::writer::Stored;

/// A blob that comes in parts. It is kept as JSON between its parts, so that any host can go on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartUpload {
    id: uuid::Uuid,
    /// Bytes that are safe.
    offset: u64,
}

impl PartUpload {
    /// The id of the blob.
    pub fn id(&self) -> BlobId {
        BlobId(self.id)
    }

    /// Bytes that are safe.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends bytes at the offset, at most `limit` of them, and returns how many were kept, also where the source failed midway.
    /// The caller holds a lock on the upload, and stores `self` afterwards.
    pub async fn append<S, E>(&mut self, blobs: &Blobs, bytes: S, limit: u64) -> Result<u64, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let _ = (blobs, bytes, limit);
        Err(WriteError::Blob(BlobError::Gone))
    }

    /// Ends it: all bytes are there.
    pub async fn finish(self, blobs: &Blobs) -> Result<Stored, BlobError> {
        let _ = blobs;
        Err(BlobError::Gone)
    }

    /// Deletes what is there of it.
    pub async fn abort(self, blobs: &Blobs) -> Result<(), BlobError> {
        let _ = blobs;
        Err(BlobError::Gone)
    }
}
