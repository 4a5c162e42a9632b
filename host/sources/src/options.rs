//! The options of the feature.

use std::time::Duration;

/// How sources are bounded and signed.
#[derive(Clone)]
pub struct SourcesOptions {
    /// The most bytes of a file.
    pub max_bytes: u64,
    /// The most sources of one owner that wait to be read, or are being read.
    pub max_waiting: i64,
    /// Uploads that are taken at once, of all callers; none for any number.
    pub uploads: Option<usize>,
    /// How long more of them wait for a place.
    pub max_wait: Duration,
    /// The key that signs addresses of files, made for this purpose alone.
    pub signing_key: Vec<u8>,
    /// Where clients reach this host, without a slash at its end.
    pub public_url: String,
}

impl std::fmt::Debug for SourcesOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcesOptions").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}
