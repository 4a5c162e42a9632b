//! The options of the feature.

use std::time::Duration;

/// How objects are bounded and signed.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// The most bytes of an object.
    pub file_size_limit: u64,
    /// How long an address for an upload is valid.
    pub signed_upload: Duration,
    /// How long an upload may rest between its parts.
    pub upload_expiry: Duration,
    /// The key that signs addresses, made for this purpose alone.
    pub signing_key: Vec<u8>,
    /// How many uploads it takes at the same time.
    pub uploads: UploadLimits,
    /// Where clients reach this host, without a slash at its end.
    pub public_url: String,
}

/// How many uploads a host takes at the same time.
#[derive(Clone, Copy, Debug)]
pub struct UploadLimits {
    /// Of all callers; any number if absent. More of them wait.
    pub at_once: Option<usize>,
    /// Of one caller, those that wait included; any number if absent.
    pub of_one: Option<usize>,
    /// How long one waits.
    pub max_wait: Duration,
}
