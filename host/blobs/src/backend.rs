//! Where bytes are: a folder or an object store.

use std::ops::Range;

use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};

use crate::acts::Acts;
use crate::error::{BlobError, OpenError, WriteError};
use crate::folder::Folder;
use crate::id::BlobId;
use crate::intake::Intake;
use crate::options::BlobPlace;
use crate::reader::BlobReader;
use crate::remote::Remote;
use crate::writer::Stored;

/// How many requests one loop sends to a store at the same time.
const REQUESTS: usize = 16;

/// Where bytes are.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// In a folder.
    Folder(Folder),
    /// In an object store.
    Remote(Remote),
}

impl Backend {
    /// Opens it. Nothing is asked of an object store yet.
    pub(crate) async fn open(place: &BlobPlace) -> Result<Self, OpenError> {
        Ok(match place {
            BlobPlace::Folder(path) => Self::Folder(Folder::open(path).await?),
            BlobPlace::Store { url, settings } => Self::Remote(Remote::open(url, settings)?),
        })
    }

    /// Reads a blob, or a part of it.
    pub(crate) async fn read(&self, id: BlobId, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        match self {
            Self::Folder(folder) => folder.read(id, range).await,
            Self::Remote(remote) => remote.read(id, range).await,
        }
    }

    /// Writes a blob.
    pub(crate) async fn write<S, E>(
        &self,
        id: BlobId,
        acts: &Acts,
        limit: u64,
        intake: Intake<'_, S, E>,
    ) -> Result<Stored, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        match self {
            Self::Folder(folder) => folder.write(id, acts, intake).await,
            Self::Remote(remote) => remote.write(id, acts, limit, intake).await,
        }
    }

    /// Deletes the bytes of these, and says what came of each. What is not there counts as deleted.
    pub(crate) async fn remove(&self, ids: Vec<BlobId>) -> Vec<(BlobId, Result<(), BlobError>)> {
        match self {
            Self::Folder(folder) => folder.remove(ids).await,
            Self::Remote(remote) => {
                let removed = ids.into_iter().map(|id| {
                    let remote = remote.clone();
                    async move { (id, remote.remove(id).await) }
                });
                stream::iter(removed).buffer_unordered(REQUESTS).collect().await
            }
        }
    }
}
