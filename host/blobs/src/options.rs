//! Where bytes are kept, and for how long what nothing names.

use std::path::PathBuf;
use std::time::Duration;

/// Where bytes are kept.
#[derive(Clone, Debug)]
pub enum BlobPlace {
    /// A folder of this machine, or of a file system that all hosts mount.
    Folder(PathBuf),
    /// An object store: `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, with the settings of its client by
    /// their names in `object_store`.
    Store {
        /// The address.
        url: url::Url,
        /// The client's settings.
        settings: Vec<(String, String)>,
    },
}

/// How bytes are kept.
#[derive(Clone, Debug)]
pub struct BlobOptions {
    /// Where.
    pub place: BlobPlace,
    /// How long bytes whose writer fell silent are kept.
    pub abandoned_after: Duration,
    /// The same for bytes that come in parts, between two of them.
    pub parts_abandoned_after: Duration,
}
