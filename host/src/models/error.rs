//! Why a model turn failed, in terms a caller can act on.

use std::time::Duration;

/// A model turn failed.
///
/// The words are safe to show to clients: they hold no key and nothing an endpoint wrote but a code word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The provider refused the host's key.
    #[error("the model provider refused this host's credentials")]
    Unauthorised,
    /// The host's settings do not lead to a model that can answer.
    #[error("the model cannot be used with this host's settings: {0}")]
    Misconfigured(&'static str),
    /// No model goes by this name.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// The provider wants fewer requests.
    #[error("the model provider is limiting the rate of requests")]
    RateLimited {
        /// How long the provider asks to wait.
        retry_after: Option<Duration>,
    },
    /// The provider could not be reached, broke off, or has trouble of its own.
    #[error("the model provider is unavailable")]
    Unavailable(#[source] Cause),
    /// The provider took too long to connect, to go on, or to finish.
    #[error("the model provider took too long")]
    Timeout,
    /// The conversation does not fit into the model's context.
    #[error("the conversation is too long for the model")]
    ContextTooLong,
    /// The provider refuses this request, and would again.
    #[error("the model provider refused the request{}", in_brackets(.code.as_deref()))]
    BadRequest {
        /// The provider's code word for it.
        code: Option<String>,
    },
    /// The answer was longer than a bound of the host.
    #[error("the model's answer was cut off: {0}")]
    TooLong(&'static str),
    /// The answer is not what the protocol allows.
    #[error("the model provider's answer could not be understood: {0}")]
    Protocol(&'static str),
}

impl ModelError {
    /// Whether the same request may well succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_) | Self::Timeout)
    }
}

/// What happened to a connection, for the operator's log; it holds nothing an endpoint wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(super) fn new(what: String) -> Self {
        Self(what)
    }
}

/// No model goes by this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown model: use builtin/extractive, or openai/, anthropic/, gemini/ or ollama/ followed by the provider's own \
     name of the model"
)]
pub struct UnknownModel;

fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
