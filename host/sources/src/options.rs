//! The options of the feature.

/// How sources are bounded and signed.
#[derive(Clone)]
pub struct SourcesOptions {
    /// The most bytes of a file.
    pub max_bytes: u64,
    /// The most sources of one owner that wait to be read, or are being read.
    pub max_waiting: i64,
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
