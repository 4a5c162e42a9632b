//! The settings of `/api/sources`, and of the jobs behind it. They are read by themselves, as those of `/auth/v1` are.

use serde::Deserialize;

use super::{Face, Secret};

/// The names of these settings.
pub(super) const NAMES: [&str; 13] = [
    "sources",
    "sources_max_bytes",
    "sources_max_waiting",
    "sources_uploads",
    "sources_workers",
    "sources_per_owner",
    "sources_ocr_url",
    "sources_ocr_authorization",
    "sources_ocr_seconds",
    "sources_max_pages",
    "sources_memory_mib",
    "jobs_lease_seconds",
    "jobs_max_waiting",
];

/// The settings of `/api/sources`, and of background jobs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcesSettings {
    /// Whether sources are served here, or the address where they are.
    #[serde(default, rename = "sources")]
    pub face: Face,
    /// The most bytes of a document.
    #[serde(default = "default_max_bytes")]
    pub sources_max_bytes: u64,
    /// The most sources of one owner that wait to be read, or are being read.
    #[serde(default = "default_max_waiting")]
    pub sources_max_waiting: u32,
    /// Uploads that this host takes at the same time, of all callers; 0 means any number.
    #[serde(default = "default_uploads")]
    pub sources_uploads: usize,
    /// Documents that are read at the same time on this host; 0 means as many as suit its processors.
    #[serde(default)]
    pub sources_workers: u32,
    /// Documents of one owner that are read at the same time, on all hosts.
    #[serde(default = "default_per_owner")]
    pub sources_per_owner: u32,
    /// A server that reads the text of pictures.
    pub sources_ocr_url: Option<String>,
    /// The header `Authorization` that this server wants.
    pub sources_ocr_authorization: Option<Secret>,
    /// How long this server may take for one file.
    #[serde(default = "default_ocr_seconds")]
    pub sources_ocr_seconds: u64,
    /// The most pages of a document.
    #[serde(default = "default_max_pages")]
    pub sources_max_pages: u32,
    /// The most memory that reading one document may take.
    #[serde(default = "default_memory_mib")]
    pub sources_memory_mib: usize,
    /// For how long a host has a background job without renewing its lease; then another host does it.
    #[serde(default = "default_jobs_lease_seconds")]
    pub jobs_lease_seconds: u64,
    /// The most background jobs of one owner that wait in a lane; 0 means any number.
    #[serde(default = "default_jobs_max_waiting")]
    pub jobs_max_waiting: u32,
}

impl Default for SourcesSettings {
    fn default() -> Self {
        Self {
            face: Face::On,
            sources_max_bytes: default_max_bytes(),
            sources_max_waiting: default_max_waiting(),
            sources_uploads: default_uploads(),
            sources_workers: 0,
            sources_per_owner: default_per_owner(),
            sources_ocr_url: None,
            sources_ocr_authorization: None,
            sources_ocr_seconds: default_ocr_seconds(),
            sources_max_pages: default_max_pages(),
            sources_memory_mib: default_memory_mib(),
            jobs_lease_seconds: default_jobs_lease_seconds(),
            jobs_max_waiting: default_jobs_max_waiting(),
        }
    }
}

/// As files of `/storage/v1`.
fn default_max_bytes() -> u64 {
    50 * 1024 * 1024
}
fn default_max_waiting() -> u32 {
    10_000
}
/// At an object store each may have a part of 5 MiB in memory.
fn default_uploads() -> usize {
    64
}
fn default_per_owner() -> u32 {
    2
}
fn default_ocr_seconds() -> u64 {
    300
}
fn default_max_pages() -> u32 {
    100_000
}
fn default_memory_mib() -> usize {
    512
}
/// As sources.
fn default_jobs_max_waiting() -> u32 {
    10_000
}
/// As the lease of a run.
fn default_jobs_lease_seconds() -> u64 {
    30
}
