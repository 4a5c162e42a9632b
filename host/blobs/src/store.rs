//! The store of bytes with its list.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use uuid::Uuid;

use crate::acts::{Acts, ActsByBlob};
use crate::backend::Backend;
use crate::error::{BlobError, OpenError, WriteError};
use crate::id::BlobId;
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::options::BlobOptions;
use crate::reader::BlobReader;
use crate::sweep;
use crate::upload::PartUpload;
use crate::writer::{NewBlob, Stored};

/// The bucket of the platform's own files. No caller reaches it.
const PLATFORM_BUCKET: &str = "sources";

/// The most bytes that object stores copy in one request; S3 refuses more.
const COPY_AT_ONCE: u64 = 5_000_000_000;

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
    /// Something of the platform's own, in the bucket `sources`.
    Platform {
        /// What it is.
        name: &'a str,
    },
}

/// The store of bytes. Clones share it.
#[derive(Clone, Debug)]
pub struct Blobs(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    backend: Backend,
    abandoned_after: Duration,
    parts_abandoned_after: Duration,
    parts: ActsByBlob,
}

impl Blobs {
    /// Opens the store, and starts to delete what nothing names.
    pub async fn open(options: &BlobOptions, db: HostDb, jobs: &Jobs) -> Result<Self, OpenError> {
        let blobs = Self(Arc::new(Shared {
            backend: Backend::open(&options.place).await?,
            ledger: Ledger::start(db, jobs),
            abandoned_after: options.abandoned_after,
            parts_abandoned_after: options.parts_abandoned_after,
            parts: ActsByBlob::default(),
        }));
        sweep::start(&blobs, jobs);
        Ok(blobs)
    }

    /// Lists a new blob, before its first byte.
    pub async fn begin(&self, purpose: BlobPurpose<'_>) -> Result<NewBlob, BlobError> {
        let id = self.list(purpose, Duration::ZERO).await?;
        Ok(NewBlob::new(id, self.clone(), self.lease(id, Duration::ZERO)))
    }

    /// Lists a new blob that comes in parts.
    pub async fn begin_parts(&self, purpose: BlobPurpose<'_>) -> Result<PartUpload, BlobError> {
        let id = self.list(purpose, self.0.parts_abandoned_after).await?;
        Ok(PartUpload::new(id))
    }

    /// Reads a blob, or a part of it.
    pub async fn read(&self, id: BlobId, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        let asked = range.clone();
        let read = self.0.backend.read(id, range).await;
        match &read {
            Ok(reader) => {
                let end = asked.as_ref().map_or(reader.size, |range| range.end.min(reader.size));
                metric::blob_bytes("read", end.saturating_sub(asked.map_or(0, |range| range.start)));
            }
            Err(BlobError::Gone) => {
                let blob_id = id;
                metric::blob_gone();
                tracing::error!(blob.id = %blob_id, "a row names bytes that are not in the store");
            }
            Err(_) => {}
        }
        read
    }

    /// Copies the bytes of a blob to a new one.
    pub async fn copy(&self, from: BlobId, to: &mut NewBlob) -> Result<Stored, BlobError> {
        if let Backend::Remote(remote) = &self.0.backend
            && remote.size(from).await? <= COPY_AT_ONCE
        {
            return remote.copy(from, to.id(), to.acts()).await;
        }
        let bytes = self.read(from, None).await?;
        let size = bytes.size;
        match to.write(bytes, size).await {
            Ok(stored) => Ok(stored),
            Err(WriteError::Blob(error)) => Err(error),
            Err(WriteError::Source(error)) => Err(BlobError::Store(Box::new(error))),
            Err(WriteError::TooLarge(_)) => Err(BlobError::Gone),
        }
    }

    /// Writes, reads and deletes a few bytes.
    pub async fn check(&self) -> Result<(), BlobError> {
        crate::check::check(&self.0.backend).await
    }

    async fn list(&self, purpose: BlobPurpose<'_>, beyond: Duration) -> Result<BlobId, BlobError> {
        let id = BlobId(Uuid::new_v4());
        let (bucket, name) = match purpose {
            BlobPurpose::Object { bucket, name } => (bucket, name),
            BlobPurpose::Platform { name } => (PLATFORM_BUCKET, name),
        };
        self.0.ledger.add(id, bucket, name, beyond).await?;
        Ok(id)
    }

    /// The lease on a blob that was just listed or renewed.
    fn lease(&self, id: BlobId, beyond: Duration) -> Lease {
        Lease::new(self.0.ledger.clone(), id, self.0.abandoned_after, beyond)
    }

    /// The lease on a blob that comes in parts.
    pub(crate) fn parts_lease(&self, id: BlobId) -> Lease {
        self.lease(id, self.0.parts_abandoned_after)
    }

    /// The acts on a blob that comes in parts.
    pub(crate) fn parts_acts(&self, id: BlobId) -> Acts {
        self.0.parts.of(id)
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.0.ledger
    }

    pub(crate) fn backend(&self) -> &Backend {
        &self.0.backend
    }

    pub(crate) fn abandoned_after(&self) -> Duration {
        self.0.abandoned_after
    }

    /// Deletes the bytes of a blob that nothing will name. If this fails, the sweep does it later.
    pub(crate) async fn release(&self, id: BlobId, acts: &Acts) -> Result<(), BlobError> {
        acts.give_up().await;
        if !self.0.ledger.release(id).await? {
            return Ok(());
        }
        for (_, removed) in self.0.backend.remove(vec![id]).await {
            removed?;
        }
        self.0.ledger.remove(&[id]).await
    }

    /// The same, for somebody who cannot wait.
    pub(crate) fn release_later(&self, id: BlobId, acts: Acts) {
        let blobs = self.clone();
        let release = async move {
            if let Err(error) = blobs.release(id, &acts).await {
                tracing::warn!(error = error.log_text(), "bytes that nothing names are deleted later");
            }
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(release);
        }
    }
}
