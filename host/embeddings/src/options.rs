//! What a deployment chooses.

use std::path::PathBuf;

use crate::{ApiKey, name::LOCAL};

/// How vectors are made. `base_url` and `api_key` belong together: the key is sent to no other address.
#[derive(Clone, Debug)]
pub struct EmbeddingOptions {
    /// The model of knowledge bases that name none: `local/all-MiniLM-L6-v2`, or `openai/` or `ollama/` and a server's own name.
    pub default_model: String,
    /// The server's address, with or without a trailing slash and `/v1`. `None` means the usual address of the default
    /// model's family.
    pub base_url: Option<String>,
    /// The server's key, which local servers often do not need.
    pub api_key: Option<ApiKey>,
    /// How many numbers a vector of the default model has, if its server can make shorter ones.
    pub dimensions: Option<u32>,
    /// The folder with the files of the local model.
    pub weights: Option<PathBuf>,
    /// Threads on which the local model reads documents; as many more answer queries. 0 means as many as suit the machine.
    pub threads: usize,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        Self {
            default_model: LOCAL.to_owned(),
            base_url: None,
            api_key: None,
            dimensions: None,
            weights: None,
            threads: 0,
        }
    }
}
