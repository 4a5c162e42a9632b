//! What the routes and the jobs need.

use std::sync::Arc;

use axum::extract::FromRef;
use behalf_blobs::Blobs;
use behalf_caller_db::CallerDb;
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_queue::Queue;
use behalf_sandbox::{ObjectStore, Sandbox};
use behalf_web::Web;

use crate::options::SourcesOptions;
use crate::upload::OpenUploads;
use crate::watch::SourceWatch;

/// What sources are made of.
#[derive(Debug)]
pub struct SourcesParts {
    /// What every route shares.
    pub web: Web,
    /// The host's own transactions.
    pub db: HostDb,
    /// The database as callers see it.
    pub caller_db: CallerDb,
    /// The bytes of files.
    pub blobs: Blobs,
    /// The jobs that fetch and read files.
    pub queue: Queue,
    /// The app's own objects, if this host keeps them.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The way out to other servers.
    pub sandbox: Arc<Sandbox>,
}

/// What the routes need. Clones share it.
#[derive(Clone, Debug)]
pub struct Sources(Arc<Shared>);

/// What is shared.
#[derive(Debug)]
pub struct Shared {
    pub(crate) web: Web,
    pub(crate) db: HostDb,
    pub(crate) caller_db: CallerDb,
    pub(crate) blobs: Blobs,
    pub(crate) queue: Queue,
    pub(crate) objects: Option<Arc<dyn ObjectStore>>,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) options: SourcesOptions,
    pub(crate) uploads: OpenUploads,
    pub(crate) watch: Arc<SourceWatch>,
}

impl Sources {
    /// Makes the feature, and starts to listen for sources that change.
    pub fn start(parts: SourcesParts, options: SourcesOptions, jobs: &Jobs) -> Self {
        let watch = SourceWatch::start(&parts.db, jobs);
        let SourcesParts { web, db, caller_db, blobs, queue, objects, sandbox } = parts;
        let uploads = OpenUploads::new(options.uploads, options.max_wait);
        Self(Arc::new(Shared { web, db, caller_db, blobs, queue, objects, sandbox, options, uploads, watch }))
    }

    /// Ends the streams of events, so that the server need not wait for their readers.
    pub fn close_streams(&self) {
        self.watch.close();
    }
}

impl std::ops::Deref for Sources {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Sources> for Web {
    fn from_ref(sources: &Sources) -> Self {
        sources.web.clone()
    }
}
