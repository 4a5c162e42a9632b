//! Writes blobs to the store: a small one at once, a large one in parts.

use bytes::Bytes;
use chrono::Utc;
use futures::Stream;
use object_store::multipart::PartId;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::{BYTES, LARGEST_PART, LEAST_PART, MOST_PARTS, Remote, UPLOAD};
use crate::acts::Acts;
use crate::error::{BlobError, WriteError};
use crate::hash::Hash;
use crate::id::BlobId;
use crate::intake::Intake;
use crate::writer::Stored;

impl Remote {
    /// The size of the parts of a blob that may become as large as `limit`.
    pub(super) fn part_size(limit: u64) -> usize {
        usize::try_from(limit / MOST_PARTS).unwrap_or(usize::MAX).clamp(LEAST_PART, LARGEST_PART)
    }

    /// Writes a blob. If this fails, what is there of it is left for [`Remote::remove`].
    pub(crate) async fn write<S, E>(
        &self,
        id: BlobId,
        acts: &Acts,
        limit: u64,
        mut intake: Intake<'_, S, E>,
    ) -> Result<Stored, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let part_size = Self::part_size(limit);
        let (mut hash, mut size) = (Hash::default(), 0);
        let mut begun: Option<(String, Vec<String>)> = None;
        loop {
            let piece = intake.next(part_size).await?;
            if let Some(failure) = intake.failure() {
                return Err(WriteError::Source(failure));
            }
            intake.lease().renew_if_due().await?;
            size += piece.bytes.len() as u64;
            let (bytes, hashed) = hash_bytes(hash, piece.bytes.freeze()).await?;
            hash = hashed;
            let (upload, mut parts) = match begun.take() {
                None if piece.is_last => {
                    self.put(id, acts, BYTES.to_owned(), bytes).await?;
                    break;
                }
                None => (self.begin_parts(id, acts).await?, Vec::new()),
                Some(begun) => begun,
            };
            if !bytes.is_empty() {
                parts.push(self.put_part(id, acts, &upload, parts.len(), bytes).await?);
            }
            if piece.is_last {
                self.complete(id, acts, upload, parts).await?;
                break;
            }
            begun = Some((upload, parts));
        }
        Ok(Stored { size, etag: hash.etag(), modified: Utc::now() })
    }

    /// Copies within the store.
    pub(crate) async fn copy(&self, from: BlobId, to: BlobId, acts: &Acts) -> Result<Stored, BlobError> {
        let (store, from, to) = (self.store.clone(), self.path(from, BYTES), self.path(to, BYTES));
        let copied = async move {
            store.copy(&from, &to).await?;
            store.head(&to).await
        };
        let meta = acts.run(copied).await?;
        // A store without `ETag`s has ids of its own that are as good.
        let etag = meta.e_tag.unwrap_or_else(|| meta.location.to_string());
        let etag = if etag.starts_with('"') { etag } else { format!("\"{etag}\"") };
        Ok(Stored { size: meta.size, etag, modified: meta.last_modified })
    }

    /// Writes one object of a blob.
    pub(super) async fn put(&self, id: BlobId, acts: &Acts, name: String, bytes: Bytes) -> Result<(), BlobError> {
        let (store, path) = (self.store.clone(), self.path(id, &name));
        acts.run(async move { store.put(&path, PutPayload::from_bytes(bytes)).await.map(drop) }).await
    }

    /// Begins a multipart upload, and remembers it in the store.
    pub(super) async fn begin_parts(&self, id: BlobId, acts: &Acts) -> Result<String, BlobError> {
        let (store, path, remembered) = (self.store.clone(), self.path(id, BYTES), self.path(id, UPLOAD));
        let begun = async move {
            let upload = store.create_multipart(&path).await?;
            store.put(&remembered, PutPayload::from(upload.clone())).await?;
            Ok(upload)
        };
        acts.run(begun).await
    }

    /// Writes a part, and returns the store's id of it.
    pub(super) async fn put_part(
        &self,
        id: BlobId,
        acts: &Acts,
        upload: &str,
        number: usize,
        bytes: Bytes,
    ) -> Result<String, BlobError> {
        let (store, path, upload) = (self.store.clone(), self.path(id, BYTES), upload.to_owned());
        let put = async move { store.put_part(&path, &upload, number, PutPayload::from_bytes(bytes)).await };
        acts.run(put).await.map(|part| part.content_id)
    }

    /// Ends a multipart upload.
    pub(super) async fn complete(
        &self,
        id: BlobId,
        acts: &Acts,
        upload: String,
        parts: Vec<String>,
    ) -> Result<(), BlobError> {
        let remote = self.clone();
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        let complete = async move {
            remote.store.complete_multipart(&remote.path(id, BYTES), &upload, parts).await?;
            remote.tidy(id).await
        };
        acts.run(complete).await
    }
}

/// Hashes bytes on a thread that may take its time.
pub(super) async fn hash_bytes(mut hash: Hash, bytes: Bytes) -> Result<(Bytes, Hash), BlobError> {
    let work = move || {
        hash.update(&bytes);
        (bytes, hash)
    };
    tokio::task::spawn_blocking(work).await.map_err(|error| BlobError::Store(Box::new(error)))
}
