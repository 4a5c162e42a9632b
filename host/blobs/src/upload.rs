//! A blob that comes in parts, which any host may write.

use behalf_telemetry::metric;
use bytes::Bytes;
use chrono::Utc;
use futures::Stream;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::backend::Backend;
use crate::error::{BlobError, WriteError};
use crate::hash::Hash;
use crate::id::BlobId;
use crate::intake::Intake;
use crate::remote::RemoteParts;
use crate::store::Blobs;
use crate::writer::Stored;

/// A blob that comes in parts. It is kept as JSON between its parts, so that any host can go on; a folder has to be one that all
/// hosts mount.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartUpload {
    id: Uuid,
    /// Bytes that are safe.
    offset: u64,
    /// The hash of these bytes, to go on with.
    hash: String,
    /// What an object store needs to go on.
    #[serde(default)]
    remote: RemoteParts,
}

impl PartUpload {
    pub(crate) fn new(id: BlobId) -> Self {
        Self { id: id.0, offset: 0, hash: Hash::default().save(), remote: RemoteParts::default() }
    }

    /// The id of the blob.
    pub fn id(&self) -> BlobId {
        BlobId(self.id)
    }

    /// Bytes that are safe.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Appends bytes at the offset, and returns how many were kept: where the source failed midway, those that came before. If there
    /// are more than `limit`, or another error comes, none of them are kept. The caller holds a lock on the upload, and stores `self`
    /// afterwards; until then the bytes count for nothing.
    pub async fn append<S, E>(&mut self, blobs: &Blobs, bytes: S, limit: u64) -> Result<u64, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let (id, acts, hash) = (self.id(), blobs.parts_acts(self.id()), self.hash()?);
        let mut lease = blobs.parts_lease(id);
        lease.renew().await?;
        let intake = Intake::new(bytes, limit, &mut lease);
        let (offset, hash) = match blobs.backend() {
            Backend::Folder(folder) => folder.append(id, &acts, (self.offset, hash), intake).await?,
            Backend::Remote(remote) => {
                let begun = (self.offset, hash, self.remote.clone());
                let (offset, hash, state) = remote.append(id, &acts, begun, limit, intake).await?;
                self.remote = state;
                (offset, hash)
            }
        };
        let kept = offset.saturating_sub(self.offset);
        self.hash = hash.save();
        self.offset = offset;
        metric::blob_bytes("written", kept);
        Ok(kept)
    }

    /// Ends it: all bytes are there, and a row can name the blob. A clone can be ended again, where a host died in between.
    pub async fn finish(self, blobs: &Blobs) -> Result<Stored, BlobError> {
        let (id, acts, hash) = (self.id(), blobs.parts_acts(self.id()), self.hash()?);
        blobs.parts_lease(id).renew().await?;
        match blobs.backend() {
            Backend::Folder(folder) => folder.finish(id, &acts, self.offset).await?,
            Backend::Remote(remote) => remote.finish(id, &acts, self.offset, self.remote).await?,
        }
        Ok(Stored { size: self.offset, etag: hash.etag(), modified: Utc::now() })
    }

    /// Deletes what is there of it, unless a row names it.
    pub async fn abort(self, blobs: &Blobs) -> Result<(), BlobError> {
        blobs.release(self.id(), &blobs.parts_acts(self.id())).await
    }

    fn hash(&self) -> Result<Hash, BlobError> {
        // Written by a version that has another state: the upload cannot go on.
        Hash::resume(&self.hash).ok_or(BlobError::Gone)
    }
}
