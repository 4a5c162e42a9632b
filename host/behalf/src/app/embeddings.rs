//! The embedding models of the settings.

use std::path::PathBuf;

use behalf_config::{Secret, Settings};
use behalf_embeddings::{ApiKey, EmbeddingOptions};

/// How vectors are made by these settings.
pub(crate) fn embedding_options(settings: &Settings) -> EmbeddingOptions {
    let own = &settings.embeddings;
    EmbeddingOptions {
        default_model: own.embedding_model.clone(),
        base_url: own.embedding_base_url.clone().filter(|url| !url.is_empty()),
        api_key: own.embedding_api_key.as_ref().map(Secret::expose).filter(|key| !key.is_empty()).map(ApiKey::new),
        dimensions: own.embedding_dimensions.filter(|dims| *dims > 0),
        weights: Some(embedding_weights(settings)),
        threads: own.embedding_threads as usize,
    }
}

/// The folder with the files of the local model.
pub(crate) fn embedding_weights(settings: &Settings) -> PathBuf {
    let set = settings.embeddings.embedding_weights.clone().filter(|path| !path.as_os_str().is_empty());
    set.unwrap_or_else(|| settings.state_dir.join("models").join("all-MiniLM-L6-v2"))
}
