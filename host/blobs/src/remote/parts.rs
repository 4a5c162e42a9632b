//! Blobs of the store that come in parts, from any host.
//!
//! Bytes that are too few for a part of the store are an object of their own until more come. Its name has the offset at its end, so
//! that the one before it is there for as long as the state names it; it is deleted by the next append.

use bytes::{Bytes, BytesMut};
use futures::Stream;
use object_store::ObjectStoreExt as _;
use serde::{Deserialize, Serialize};

use super::write::hash_bytes;
use super::{BYTES, Remote};
use crate::acts::Acts;
use crate::error::{BlobError, WriteError};
use crate::hash::Hash;
use crate::id::BlobId;
use crate::intake::Intake;

/// What a host needs to go on with a blob that comes in parts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RemoteParts {
    /// The size of each part but the last.
    part_size: usize,
    /// The store's id of the upload, once there is a whole part.
    upload: Option<String>,
    /// The store's ids of the parts.
    parts: Vec<String>,
    /// The name of the bytes that are too few for a part.
    rest: Option<String>,
    /// The one before it.
    old_rest: Option<String>,
}

impl Remote {
    /// Appends bytes, and returns the new offset and state. Parts that were written before a failure count for nothing: the next ones
    /// with their numbers replace them.
    pub(crate) async fn append<S, E>(
        &self,
        id: BlobId,
        acts: &Acts,
        (mut offset, mut hash, mut state): (u64, Hash, RemoteParts),
        limit: u64,
        mut intake: Intake<'_, S, E>,
    ) -> Result<(u64, Hash, RemoteParts), WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        if state.part_size == 0 {
            state.part_size = Self::part_size(offset.saturating_add(limit));
        }
        if let Some(old) = state.old_rest.take() {
            self.forget(id, acts, &old).await?;
        }
        let rest = state.rest.take();
        let mut part = BytesMut::from(self.rest(id, rest.as_deref()).await?);
        state.old_rest = rest;
        loop {
            let piece = intake.next(state.part_size.saturating_sub(part.len())).await?;
            intake.lease().renew_if_due().await?;
            let (bytes, hashed) = hash_bytes(hash, piece.bytes.freeze()).await?;
            hash = hashed;
            offset += bytes.len() as u64;
            if part.is_empty() {
                part = BytesMut::from(bytes);
            } else {
                part.extend_from_slice(&bytes);
            }
            if part.len() >= state.part_size {
                self.add_part(id, acts, &mut state, part.split().freeze()).await?;
            }
            if piece.is_last {
                break;
            }
        }
        if !part.is_empty() {
            let name = format!("rest-{offset}");
            self.put(id, acts, name.clone(), part.freeze()).await?;
            state.old_rest = state.old_rest.filter(|old| *old != name);
            state.rest = Some(name);
        }
        Ok((offset, hash, state))
    }

    /// Ends it. This may be asked again, where its end was not written down.
    pub(crate) async fn finish(
        &self,
        id: BlobId,
        acts: &Acts,
        offset: u64,
        mut state: RemoteParts,
    ) -> Result<(), BlobError> {
        match self.end(id, acts, &mut state).await {
            Ok(()) => Ok(()),
            Err(error) => match self.store.head(&self.path(id, BYTES)).await {
                Ok(meta) if meta.size == offset => Ok(()),
                _ => Err(error),
            },
        }
    }

    async fn end(&self, id: BlobId, acts: &Acts, state: &mut RemoteParts) -> Result<(), BlobError> {
        let rest = self.rest(id, state.rest.as_deref()).await?;
        if state.upload.is_none() {
            self.put(id, acts, BYTES.to_owned(), rest).await?;
            let remote = self.clone();
            return acts.run(async move { remote.tidy(id).await }).await;
        }
        if !rest.is_empty() {
            self.add_part(id, acts, state, rest).await?;
        }
        let upload = state.upload.take().ok_or(BlobError::Gone)?;
        self.complete(id, acts, upload, std::mem::take(&mut state.parts)).await
    }

    async fn add_part(&self, id: BlobId, acts: &Acts, state: &mut RemoteParts, bytes: Bytes) -> Result<(), BlobError> {
        let upload = match &state.upload {
            Some(upload) => upload.clone(),
            // Begun by a host that did not come to tell.
            None => match self.remembered(id).await? {
                Some(upload) => upload,
                None => self.begin_parts(id, acts).await?,
            },
        };
        let part = self.put_part(id, acts, &upload, state.parts.len(), bytes).await?;
        state.parts.push(part);
        state.upload = Some(upload);
        Ok(())
    }

    async fn rest(&self, id: BlobId, name: Option<&str>) -> Result<Bytes, BlobError> {
        let Some(name) = name else { return Ok(Bytes::new()) };
        let found = self.store.get(&self.path(id, name)).await.map_err(BlobError::from_store)?;
        found.bytes().await.map_err(BlobError::from_store)
    }

    async fn forget(&self, id: BlobId, acts: &Acts, name: &str) -> Result<(), BlobError> {
        let (store, path) = (self.store.clone(), self.path(id, name));
        match acts.run(async move { store.delete(&path).await }).await {
            Err(BlobError::Gone) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
