//! The settings of `/storage/v1`. They are read by themselves, as those of `/auth/v1` are.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use super::Secret;

/// The names of these settings.
pub(super) const NAMES: [&str; 15] = [
    "storage",
    "storage_s3_endpoint",
    "storage_s3_region",
    "storage_s3_access_key_id",
    "storage_s3_secret_access_key",
    "storage_gcs_service_account",
    "storage_azure_account",
    "storage_azure_access_key",
    "storage_azure_endpoint",
    "storage_file_size_limit",
    "storage_abandoned_seconds",
    "storage_signed_upload_seconds",
    "storage_upload_expiry_seconds",
    "storage_uploads",
    "storage_uploads_user",
];

/// Where files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoragePlace {
    /// In a folder of the state folder.
    On,
    /// Nowhere: `/storage/v1` is not served.
    Off,
    /// `/storage/v1` is served at this address.
    At(String),
    /// In this folder.
    Folder(PathBuf),
    /// In the object store with this address.
    Store(String),
}

impl StoragePlace {
    /// Where `/storage/v1` is served instead, if that is known.
    pub fn elsewhere(&self) -> Option<&str> {
        match self {
            Self::At(address) => Some(address),
            _ => None,
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("file://") {
            return (path.starts_with('/') && path.len() > 1).then(|| Self::Folder(PathBuf::from(path)));
        }
        let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| text.starts_with(beginning));
        match text {
            "on" => Some(Self::On),
            "off" => Some(Self::Off),
            _ if begins(&["http://", "https://"]) => Some(Self::At(text.to_owned())),
            _ if begins(&["s3://", "gs://", "az://"]) => Some(Self::Store(text.to_owned())),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for StoragePlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Bool(bool),
            Text(String),
        }
        let place = match Either::deserialize(deserializer)? {
            Either::Bool(true) => Some(Self::On),
            Either::Bool(false) => Some(Self::Off),
            Either::Text(text) => Self::of_text(text.trim()),
        };
        let hint = "use on, off, file:///folder, s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, or the address \
                    where it is served";
        place.ok_or_else(|| serde::de::Error::custom(hint))
    }
}

/// The settings of `/storage/v1`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageSettings {
    /// Where files are; `None` where nobody said so, which means in the state folder, if `/storage/v1` can be served.
    #[serde(default, rename = "storage")]
    pub place: Option<StoragePlace>,
    /// The address of a server that speaks S3, if it is not Amazon's.
    pub storage_s3_endpoint: Option<String>,
    /// The region of the bucket.
    pub storage_s3_region: Option<String>,
    /// The id of the key for the bucket.
    pub storage_s3_access_key_id: Option<String>,
    /// The key for the bucket.
    pub storage_s3_secret_access_key: Option<Secret>,
    /// A file with a service account of Google Cloud.
    pub storage_gcs_service_account: Option<PathBuf>,
    /// The storage account of Azure.
    pub storage_azure_account: Option<String>,
    /// The key of the storage account.
    pub storage_azure_access_key: Option<Secret>,
    /// The address of a server that speaks Azure's protocol, if it is not Azure.
    pub storage_azure_endpoint: Option<String>,
    /// The most bytes of an object. A bucket may allow fewer.
    #[serde(default = "default_file_size_limit")]
    pub storage_file_size_limit: u64,
    /// After so many seconds without a sign of its writer, what was uploaded and never named is deleted.
    #[serde(default = "default_abandoned_seconds")]
    pub storage_abandoned_seconds: u64,
    /// How long a signed address for an upload is valid.
    #[serde(default = "default_signed_upload_seconds")]
    pub storage_signed_upload_seconds: u64,
    /// How long a resumable upload may take.
    #[serde(default = "default_upload_expiry_seconds")]
    pub storage_upload_expiry_seconds: u64,
    /// Uploads that the host takes at the same time; 0: any number.
    #[serde(default = "default_uploads")]
    pub storage_uploads: usize,
    /// Uploads of one caller at the same time, those that wait included; 0: any number.
    #[serde(default = "default_uploads_user")]
    pub storage_uploads_user: usize,
}

impl Default for StorageSettings {
    fn default() -> Self {
        Self {
            place: None,
            storage_s3_endpoint: None,
            storage_s3_region: None,
            storage_s3_access_key_id: None,
            storage_s3_secret_access_key: None,
            storage_gcs_service_account: None,
            storage_azure_account: None,
            storage_azure_access_key: None,
            storage_azure_endpoint: None,
            storage_file_size_limit: default_file_size_limit(),
            storage_abandoned_seconds: default_abandoned_seconds(),
            storage_signed_upload_seconds: default_signed_upload_seconds(),
            storage_upload_expiry_seconds: default_upload_expiry_seconds(),
            storage_uploads: default_uploads(),
            storage_uploads_user: default_uploads_user(),
        }
    }
}

/// As on Supabase.
fn default_file_size_limit() -> u64 {
    50 * 1024 * 1024
}
/// Long enough for a host that stands still, and short enough that what crashes leave is small.
fn default_abandoned_seconds() -> u64 {
    900
}
fn default_signed_upload_seconds() -> u64 {
    7_200
}
fn default_upload_expiry_seconds() -> u64 {
    86_400
}
/// At an object store each may have a part of 5 MiB in memory.
fn default_uploads() -> usize {
    256
}
/// More than clients send at once, and few enough that their connections do not fill the host.
fn default_uploads_user() -> usize {
    1_000
}
