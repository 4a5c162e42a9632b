//! The store of bytes with its list.

use std::ops::Range;

use behalf_host_db::HostDb;
use behalf_jobs::Jobs;

use crate::error::{BlobError, OpenError};
use crate::id::BlobId;
use crate::options::BlobOptions;
use crate::reader::BlobReader;
use crate::upload::PartUpload;
use crate::writer::{NewBlob, Stored};

/// What a blob is for. The database lets nothing else name it.
#[derive(Clone, Copy, Debug)]
pub enum BlobPurpose<'a> {
    /// An object of an app.
    Object {
        /// Its bucket.
        bucket: &'a str,
        /// Its name.
        name: &'a str,
    },
    /// Something of the platform's own.
    Platform {
        /// What it is.
        name: &'a str,
    },
}

/// The store of bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct Blobs {
    db: HostDb,
}

impl Blobs {
    /// Opens the store, and starts to delete what nothing names.
    pub async fn open(options: &BlobOptions, db: HostDb, jobs: &Jobs) -> Result<Self, OpenError> {
        let _ = (options, jobs);
        Ok(Self { db })
    }

    /// Lists a new blob, before its first byte.
    pub async fn begin(&self, purpose: BlobPurpose<'_>) -> Result<NewBlob, BlobError> {
        let _ = (purpose, &self.db);
        Err(BlobError::Gone)
    }

    /// Lists a new blob that comes in parts.
    pub async fn begin_parts(&self, purpose: BlobPurpose<'_>) -> Result<PartUpload, BlobError> {
        let _ = purpose;
        Err(BlobError::Gone)
    }

    /// Reads a blob, or a part of it.
    pub async fn read(&self, id: BlobId, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        let _ = (id, range);
        Err(BlobError::Gone)
    }

    /// Copies the bytes of a blob to a new one.
    pub async fn copy(&self, from: BlobId, to: &mut NewBlob) -> Result<Stored, BlobError> {
        let _ = (from, to);
        Err(BlobError::Gone)
    }

    /// Writes, reads and deletes a few bytes.
    pub async fn check(&self) -> Result<(), BlobError> {
        Err(BlobError::Gone)
    }
}
