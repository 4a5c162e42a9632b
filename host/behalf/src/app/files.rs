//! What has files: `/storage/v1`, `/api/sources`, and the sandbox, whose tools reach objects and which reads documents.

use std::path::PathBuf;
use std::sync::Arc;

use behalf_blobs::BlobOptions;
use behalf_caller_db::CallerDb;
use behalf_config::{ConfigError, Settings};
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_queue::Workers;
use behalf_sandbox::{KnowledgeSearch, LateSlot, MemoryStore, Sandbox};
use behalf_sources::Sources;
use behalf_storage::Storage;
use behalf_web::{Routes, Web};

use super::sources::{self, SourcesPlan};
use super::storage::{self, StoragePlan};
use super::{Front, StartError, jobs, options};

/// What is made of the settings alone.
pub(super) struct FilesPlan {
    /// None where `/storage/v1` is served elsewhere, or not at all.
    storage: Option<StoragePlan>,
    blobs: BlobOptions,
    /// None where `/api/sources` is served elsewhere, or not at all.
    sources: Option<SourcesPlan>,
}

/// What has files.
pub(super) struct Files {
    storage: Option<Storage>,
    pub(super) sources: Option<Sources>,
    pub(super) sandbox: Arc<Sandbox>,
    /// Where tools find knowledge bases, which are made after the sandbox.
    pub(super) knowledge: LateSlot<dyn KnowledgeSearch>,
    /// Where tools find what agents remember, which is made after the sandbox as well.
    pub(super) memory: LateSlot<dyn MemoryStore>,
}

impl FilesPlan {
    /// Reads the settings.
    pub(super) fn read(settings: &Settings) -> Result<Self, ConfigError> {
        Ok(Self {
            storage: StoragePlan::read(settings)?,
            blobs: storage::blobs(settings)?,
            sources: SourcesPlan::read(settings)?,
        })
    }

    /// Puts them together. `compiler` is the program that compiles components.
    pub(super) async fn open(
        self,
        compiler: Option<PathBuf>,
        (settings, front): (&Settings, &Front),
        web: &Web,
        (db, caller_db): (&HostDb, &CallerDb),
        (loops, workers): (&Jobs, &mut Workers),
    ) -> Result<Files, StartError> {
        let bytes = (self.storage, &self.blobs);
        let place = (settings, front);
        let databases = (db, caller_db);
        let (storage, blobs) =
            storage::open(bytes, self.sources.is_some(), place, web, databases, (loops, &mut *workers)).await?;
        let (knowledge, memory) = (LateSlot::default(), LateSlot::default());
        let sandbox = options::sandbox(settings, compiler.clone(), storage.clone(), (&knowledge, &memory));
        let sandbox = Arc::new(Sandbox::new(sandbox)?);
        jobs::prune_state(&sandbox, settings, loops);
        let shared = (web, db, caller_db, &sandbox, storage.as_ref());
        let sources = sources::start(self.sources.zip(blobs), shared, (settings, front, compiler), workers, loops)?;
        Ok(Files { storage, sources, sandbox, knowledge, memory })
    }
}

impl Files {
    /// Their routes, or what they answer where they are served elsewhere.
    pub(super) fn routes(&self, settings: &Settings) -> Routes {
        let storage = storage::routes(self.storage.clone(), settings);
        storage.merge(sources::routes(self.sources.clone(), settings))
    }
}
