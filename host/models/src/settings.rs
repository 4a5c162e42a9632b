//! The settings of the model provider.

use std::time::Duration;

use super::{ApiKey, name::EXTRACTIVE};

/// How to reach the model provider. `base_url` and `api_key` belong together: the key is sent to no other address.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// The provider's address, with or without a trailing slash and `/v1`. `None` means the public endpoint of
    /// the default model's provider.
    pub base_url: Option<String>,
    /// The provider's key, which local endpoints often do not need.
    pub api_key: Option<ApiKey>,
    /// The model that answers if a request names none.
    pub default_model: String,
    /// Optional fields of requests that are never sent; see [`super::OPTIONAL_FIELDS`].
    pub omitted_fields: Vec<String>,
    /// The longest time of one turn, including retries.
    pub timeout: Duration,
    /// The longest time without a piece of the answer: before the first one, and between two.
    pub idle_timeout: Duration,
}

impl Default for ModelSettings {
    /// The built-in model, five minutes for a turn, and two minutes between pieces, because models that think send
    /// nothing.
    fn default() -> Self {
        Self {
            base_url: None,
            api_key: None,
            default_model: EXTRACTIVE.to_owned(),
            omitted_fields: Vec::new(),
            timeout: Duration::from_mins(5),
            idle_timeout: Duration::from_mins(2),
        }
    }
}

/// Why the model settings cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The base URL cannot be used.
    #[error("the model base URL must be an http or https URL without user name or password")]
    BaseUrl,
    /// The default model's name is unknown.
    #[error("the default model's name is unknown")]
    DefaultModel(#[source] super::UnknownModel),
    /// There is no provider of this name, or it has no public endpoint.
    #[error("the provider must be openai, anthropic, gemini or ollama, and ollama needs an address")]
    Provider,
    /// A field that requests do not have, or that cannot be left out.
    #[error("there is no optional field of this name to leave out; there are {}", super::OPTIONAL_FIELDS.join(", "))]
    Field,
    /// The HTTP client could not be made.
    #[error("the model client could not be made")]
    Client,
}
