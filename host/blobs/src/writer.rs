//! A blob that is being written.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;

use crate::error::{BlobError, WriteError};
use crate::id::BlobId;
use crate::store::Blobs;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// How many bytes.
    pub size: u64,
    /// A strong `ETag`, with its quotes.
    pub etag: String,
    /// When they were complete.
    pub modified: DateTime<Utc>,
}

/// A blob that is listed and that nothing names yet. If it is dropped, its bytes are deleted.
#[derive(Debug)]
pub struct NewBlob {
    pub(crate) id: BlobId,
    pub(crate) blobs: Blobs,
    pub(crate) named: bool,
}

impl NewBlob {
    /// Its id.
    pub fn id(&self) -> BlobId {
        self.id
    }

    /// Writes the bytes as they come, at most `limit` of them.
    pub async fn write<S, E>(&mut self, bytes: S, limit: u64) -> Result<Stored, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let _ = (bytes, limit);
        Err(WriteError::Blob(BlobError::Gone))
    }

    /// A row names it now.
    pub fn keep(mut self) {
        self.named = true;
    }
}
