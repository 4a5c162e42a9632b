//! What the routes need.

use std::sync::Arc;

use axum::extract::FromRef;
use behalf_blobs::Blobs;
use behalf_caller_db::CallerDb;
use behalf_host_db::HostDb;
use behalf_web::Web;

use crate::options::StorageOptions;
use crate::upload::places::UploadPlaces;

/// What the routes need. Clones share it.
#[derive(Clone, Debug)]
pub struct Storage(Arc<Shared>);

/// What is shared.
#[derive(Debug)]
pub struct Shared {
    pub(crate) web: Web,
    pub(crate) db: HostDb,
    pub(crate) caller_db: CallerDb,
    pub(crate) blobs: Blobs,
    pub(crate) options: StorageOptions,
    pub(crate) uploads: UploadPlaces,
}

impl Storage {
    /// Makes the feature.
    pub fn new(web: Web, db: HostDb, caller_db: CallerDb, blobs: Blobs, options: StorageOptions) -> Self {
        let uploads = UploadPlaces::new(options.uploads);
        Self(Arc::new(Shared { web, db, caller_db, blobs, options, uploads }))
    }
}

impl std::ops::Deref for Storage {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Storage> for Web {
    fn from_ref(storage: &Storage) -> Self {
        storage.web.clone()
    }
}
