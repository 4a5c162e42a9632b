//! Takes files: from the form of a request, from an object of the app's, or from another server.
//!
//! The right to add a source is asked before the first byte. The bytes are stored under an id that nothing knows, and their hash is
//! made on the way. Then one transaction writes the row and the job, and with it the source is there, whole. No transaction is open
//! while bytes come. Whatever fails before that drops the blob, and with it the bytes.

mod form;
mod new_file;
mod places;

use behalf_blobs::{BlobPurpose, NewBlob, WriteError};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::state::Sources;

pub(crate) use form::{UploadForm, bad_name, receive, unknown_type};
pub(crate) use new_file::{Added, NewFile, storage_path};
pub(crate) use places::OpenUploads;

/// Bytes that are stored and that nothing names yet. Dropped, they are deleted.
#[derive(Debug)]
pub(crate) struct Taken {
    /// Where they are.
    pub(crate) blob: NewBlob,
    /// How many.
    pub(crate) size: u64,
    /// Their SHA-256 in hex.
    pub(crate) hash: String,
}

impl Taken {
    /// How many, as the database counts.
    pub(crate) fn rows_size(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX)
    }
}

/// Stores the bytes of a source as they come, as many as a file may have.
pub(crate) async fn take<S, E>(sources: &Sources, source: Uuid, bytes: S) -> Result<Taken, WriteError<E>>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Send,
{
    let name = source.to_string();
    let mut blob = sources.blobs.begin(BlobPurpose::Platform { name: &name }).await?;
    let mut hash = Sha256::new();
    let hashed = bytes.inspect_ok(|piece| hash.update(piece));
    let stored = blob.write(hashed, sources.options.max_bytes).await?;
    Ok(Taken { blob, size: stored.size, hash: hex::encode(hash.finalize()) })
}
