//! What a deployment says about its model provider.

use std::time::Duration;

use super::{ApiKey, name::EXTRACTIVE};

/// How to reach the model provider. `base_url` and `api_key` belong together: the key is sent nowhere else.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Where the provider answers, with or without a trailing slash and `/v1`; `None` means the public endpoint of
    /// the default model's provider.
    pub base_url: Option<String>,
    /// The provider's key; local endpoints often need none.
    pub api_key: Option<ApiKey>,
    /// The model that answers where a request names none.
    pub default_model: String,
    /// Most time one turn may take, retries included.
    pub timeout: Duration,
    /// Most time a provider may be silent: before it begins, and between two pieces.
    pub idle_timeout: Duration,
}

impl Default for ModelSettings {
    /// The built-in model; five minutes for a turn, and two of silence, because models that think do so silently.
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            default_model: EXTRACTIVE.to_owned(),
            timeout: Duration::from_mins(5),
            idle_timeout: Duration::from_mins(2),
        }
    }
}

/// The model settings cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The base URL is not one.
    #[error("the model base URL must be an http or https URL without user name or password")]
    BaseUrl,
    /// The default model's name is unknown.
    #[error("the default model's name is unknown")]
    DefaultModel(#[source] super::UnknownModel),
    /// No provider goes by this name, or it has no public endpoint.
    #[error("the provider must be openai, anthropic, gemini or ollama, and ollama needs an address")]
    Provider,
    /// The HTTP client could not be made.
    #[error("the model client could not be made")]
    Client,
}
