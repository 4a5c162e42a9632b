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
    /// Where clients reach this host, without a slash at its end.
    pub public_url: String,
}
