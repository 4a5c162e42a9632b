//! The settings of embedding models, and of the model that reads results again. They are read by themselves, as those of `/auth/v1` are.

use std::path::PathBuf;

use serde::Deserialize;

use super::Secret;

/// The names of these settings.
pub(super) const NAMES: [&str; 10] = [
    "embedding_model",
    "embedding_base_url",
    "embedding_api_key",
    "embedding_dimensions",
    "embedding_weights",
    "embedding_threads",
    "rerank_url",
    "rerank_api_key",
    "rerank_model",
    "rerank_seconds",
];

/// The settings of embedding models.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmbeddingSettings {
    /// The model of knowledge bases that name none.
    #[serde(default = "default_model")]
    pub embedding_model: String,
    /// Base address of the embedding server.
    pub embedding_base_url: Option<String>,
    /// Key of the embedding server.
    pub embedding_api_key: Option<Secret>,
    /// How many numbers a vector of `embedding_model` has, if its server can make shorter ones.
    pub embedding_dimensions: Option<u32>,
    /// The folder with the files of the local model; without it, one in `state_dir`.
    pub embedding_weights: Option<PathBuf>,
    /// Threads on which the local model reads documents; 0 means as many as suit the processors.
    #[serde(default)]
    pub embedding_threads: u32,
    /// The endpoint of a model that reads the best results of a search again.
    pub rerank_url: Option<String>,
    /// The key of this endpoint.
    pub rerank_api_key: Option<Secret>,
    /// The model that it is asked for where a knowledge base names none.
    pub rerank_model: Option<String>,
    /// How long it may take for one search.
    #[serde(default = "default_rerank_seconds")]
    pub rerank_seconds: u64,
}

impl Default for EmbeddingSettings {
    fn default() -> Self {
        Self {
            embedding_model: default_model(),
            embedding_base_url: None,
            embedding_api_key: None,
            embedding_dimensions: None,
            embedding_weights: None,
            embedding_threads: 0,
            rerank_url: None,
            rerank_api_key: None,
            rerank_model: None,
            rerank_seconds: default_rerank_seconds(),
        }
    }
}

/// It needs no server and no key.
fn default_model() -> String {
    "local/all-MiniLM-L6-v2".to_owned()
}
/// Somebody waits for the search.
fn default_rerank_seconds() -> u64 {
    10
}
