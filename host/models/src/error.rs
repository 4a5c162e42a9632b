//! The errors of a model turn, one variant for each way in which a caller can react.

use std::time::Duration;

/// Why a model turn failed.
///
/// The texts are safe to show to clients: they contain no key, and of an endpoint's answer at most an error code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The provider refused the host's key.
    #[error("the model provider refused this host's credentials")]
    Unauthorised,
    /// The host's settings do not give a usable model.
    #[error("the model cannot be used with this host's settings: {0}")]
    Misconfigured(&'static str),
    /// There is no model of this name.
    #[error(transparent)]
    UnknownModel(#[from] UnknownModel),
    /// The provider limits the rate of requests.
    #[error("the model provider is limiting the rate of requests")]
    RateLimited {
        /// The wait that the provider asks for.
        retry_after: Option<Duration>,
    },
    /// The provider could not be reached, closed the connection, or had an internal error.
    #[error("the model provider is unavailable")]
    Unavailable(#[source] Cause),
    /// The provider took too long to connect, to send the next piece, or to finish.
    #[error("the model provider took too long")]
    Timeout,
    /// The conversation does not fit into the model's context.
    #[error("the conversation is too long for the model")]
    ContextTooLong,
    /// The provider refuses this request; a repetition would fail as well.
    #[error("the model provider refused the request{}", in_brackets(.code.as_deref()))]
    BadRequest {
        /// The provider's error code.
        code: Option<String>,
    },
    /// The answer exceeds a limit of the host.
    #[error("the model's answer was cut off: {0}")]
    TooLong(&'static str),
    /// The answer violates the protocol.
    #[error("the model provider's answer could not be understood: {0}")]
    Protocol(&'static str),
}

impl ModelError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable(_) | Self::Timeout)
    }
}

/// The failure of a connection, for the operator's log. It contains nothing that the endpoint sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(super) fn new(what: String) -> Self {
        Self(what)
    }
}

/// There is no model of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown model: use builtin/extractive, or openai/, anthropic/, gemini/ or ollama/ followed by the provider's own \
     name of the model"
)]
pub struct UnknownModel;

fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
