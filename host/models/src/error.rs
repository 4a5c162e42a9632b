//! The errors of a model turn, one variant for each way in which a caller can react.

use std::fmt;
use std::time::Duration;

use super::{FinishReason, Usage};

/// Why a model turn failed.
///
/// The texts are safe to show to clients: they contain no key, and of an endpoint's answer at most an error code. What the
/// endpoint says itself is a cause, for the operator: see [`ModelError::reason`].
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
    /// The answer has no text and no tool call.
    #[error("the model's answer was empty{}", .finish_reason.why_empty())]
    Empty {
        /// Why the model stopped.
        finish_reason: FinishReason,
        /// The tokens that it used all the same.
        usage: Usage,
    },
    /// One of the others, of which the endpoint says more.
    #[error("{error}")]
    Said {
        /// What happened.
        error: Box<ModelError>,
        /// The endpoint's own words.
        #[source]
        reason: Reason,
    },
}

impl ModelError {
    /// Whether the same request may succeed later.
    pub fn retryable(&self) -> bool {
        matches!(self.bare(), Self::RateLimited { .. } | Self::Unavailable(_) | Self::Timeout)
    }

    /// What happened, without the endpoint's words.
    pub fn bare(&self) -> &Self {
        match self {
            Self::Said { error, .. } => error,
            other => other,
        }
    }

    /// The endpoint's own words, for the operator.
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Said { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// The tokens of an answer that cannot be used.
    pub fn usage(&self) -> Usage {
        match self.bare() {
            Self::Empty { usage, .. } => *usage,
            _ => Usage::default(),
        }
    }

    /// The error with what the endpoint said of it.
    pub(super) fn with(self, reason: Option<Reason>) -> Self {
        let Some(Reason(words)) = reason.filter(|_| !matches!(self, Self::Said { .. })) else { return self };
        // The operator reads both.
        let words = match &self {
            Self::Unavailable(cause) => format!("{words} ({cause})"),
            _ => words,
        };
        Self::Said { error: Box::new(self), reason: Reason(words) }
    }
}

/// Why an endpoint refused a request, in its own words: for the operator, not for users. It holds no key, and nothing long or
/// telling that stands in the conversation.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reason").field(&self.0).finish()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the endpoint says: {}", self.0)
    }
}

impl std::error::Error for Reason {}

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

impl FinishReason {
    /// What may have kept the model from saying anything.
    fn why_empty(self) -> &'static str {
        match self {
            Self::Length => ": it used all its tokens before it said anything",
            Self::ContentFilter => ": the provider withheld it",
            Self::Stop | Self::ToolCalls | Self::Other => "",
        }
    }
}

fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
