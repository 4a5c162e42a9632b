//! Bytes in an object store: S3, Google Cloud Storage or Azure.
//!
//! Everything of a blob is below its id: `bytes`, and while it is written `upload` with the store's id of a multipart upload, and
//! `rest-…` with bytes that are too few for a part. So all of it is found again, also after a crash.

mod open;
mod parts;
mod write;

pub(crate) use parts::RemoteParts;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _};

use crate::error::BlobError;
use crate::id::BlobId;
use crate::reader::{BlobReader, resolve};

/// The least that S3 takes as a part that is not the last. All parts of a blob have the same size, because some stores ask for that.
const LEAST_PART: usize = 5 * 1024 * 1024;

/// The most, because each is in memory once.
const LARGEST_PART: usize = 128 * 1024 * 1024;

/// Parts of one blob. S3 takes 10,000.
const MOST_PARTS: u64 = 9_000;

/// The name of the bytes of a blob.
const BYTES: &str = "bytes";

/// The name of what remembers the id of a multipart upload.
const UPLOAD: &str = "upload";

/// A store that takes parts.
trait Store: ObjectStore + MultipartStore {}

impl<S: ObjectStore + MultipartStore> Store for S {}

/// Bytes in an object store.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    store: Arc<dyn Store>,
    prefix: Path,
}

impl Remote {
    fn path(&self, id: BlobId, name: &str) -> Path {
        self.folder(id).join(name)
    }

    fn folder(&self, id: BlobId) -> Path {
        self.prefix.clone().join(id.0.simple().to_string())
    }

    /// Reads a blob, or a part of it.
    pub(crate) async fn read(&self, id: BlobId, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        let path = self.path(id, BYTES);
        // The store refuses a range without bytes.
        if range.as_ref().is_some_and(Range::is_empty) {
            let size = self.size(id).await?;
            resolve(range, size)?;
            return Ok(BlobReader { size, bytes: futures::stream::empty().boxed() });
        }
        let options = GetOptions { range: range.clone().map(GetRange::Bounded), ..GetOptions::default() };
        let found = match self.store.get_opts(&path, options).await {
            Ok(found) => found,
            Err(error) => {
                let is_gone = matches!(error, Error::NotFound { .. });
                if range.is_some() && !is_gone {
                    resolve(range, self.size(id).await?)?;
                }
                return Err(BlobError::from_store(error));
            }
        };
        let size = found.meta.size;
        Ok(BlobReader { size, bytes: found.into_stream().map_err(io::Error::from).boxed() })
    }

    /// How many bytes a blob has.
    pub(crate) async fn size(&self, id: BlobId) -> Result<u64, BlobError> {
        Ok(self.store.head(&self.path(id, BYTES)).await.map_err(BlobError::from_store)?.size)
    }

    /// Deletes everything of a blob, and what the store keeps of an upload under way.
    pub(crate) async fn remove(&self, id: BlobId) -> Result<(), BlobError> {
        let remembered = self.remembered(id).await?;
        if let Some(upload) = remembered {
            match self.store.abort_multipart(&self.path(id, BYTES), &upload).await {
                // It has ended already.
                Err(Error::NotFound { .. }) | Ok(()) => {}
                Err(error) => return Err(BlobError::from_store(error)),
            }
        }
        self.clear(id, |_| true).await.map_err(BlobError::from_store)
    }

    /// Deletes what there is of a blob beside its bytes.
    async fn tidy(&self, id: BlobId) -> object_store::Result<()> {
        self.clear(id, |name| name != BYTES).await
    }

    async fn clear(&self, id: BlobId, is_meant: impl Fn(&str) -> bool) -> object_store::Result<()> {
        let found: Vec<_> = self.store.list(Some(&self.folder(id))).try_collect().await?;
        for meta in found {
            let name = meta.location.filename().unwrap_or_default();
            if !is_meant(name) {
                continue;
            }
            match self.store.delete(&meta.location).await {
                Ok(()) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The store's id of a multipart upload of this blob.
    async fn remembered(&self, id: BlobId) -> Result<Option<String>, BlobError> {
        match self.store.get(&self.path(id, UPLOAD)).await {
            Ok(upload) => {
                let text = upload.bytes().await.map_err(BlobError::from_store)?;
                Ok(Some(String::from_utf8_lossy(&text).into_owned()))
            }
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(BlobError::from_store(error)),
        }
    }
}

#[cfg(test)]
mod tests;
