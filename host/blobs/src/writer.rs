//! A blob that is being written.

use behalf_telemetry::metric;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::Stream;

use crate::acts::Acts;
use crate::error::WriteError;
use crate::id::BlobId;
use crate::intake::Intake;
use crate::lease::Lease;
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

/// A blob that is listed and that nothing names yet. If it is dropped, its bytes are deleted, unless a row names them after all.
#[derive(Debug)]
pub struct NewBlob {
    id: BlobId,
    blobs: Blobs,
    lease: Lease,
    acts: Acts,
    is_named: bool,
}

impl NewBlob {
    pub(crate) fn new(id: BlobId, blobs: Blobs, lease: Lease) -> Self {
        Self { id, blobs, lease, acts: Acts::default(), is_named: false }
    }

    /// Its id.
    pub fn id(&self) -> BlobId {
        self.id
    }

    pub(crate) fn acts(&self) -> &Acts {
        &self.acts
    }

    /// Writes the bytes as they come, at most `limit` of them. They are on the disk, or in the store, when this returns. A blob can be
    /// written once.
    pub async fn write<S, E>(&mut self, bytes: S, limit: u64) -> Result<Stored, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let intake = Intake::new(bytes, limit, &mut self.lease);
        let stored = self.blobs.backend().write(self.id, &self.acts, limit, intake).await?;
        metric::blob_bytes("written", stored.size);
        Ok(stored)
    }

    /// A row names it now.
    pub fn keep(mut self) {
        self.is_named = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.is_named {
            self.blobs.release_later(self.id, self.acts.clone());
        }
    }
}
