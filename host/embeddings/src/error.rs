//! Why texts have no vectors, one variant for each way in which a caller can react.

use std::path::PathBuf;
use std::time::Duration;

use behalf_problem::{Kind, Problem};
use thiserror::Error;

/// Why texts have no vectors.
///
/// The texts are for the operator's log. They hold no key, and of a server's answer at most an error code. What clients may
/// read is [`Problem::detail`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EmbeddingError {
    /// There is no model of this name.
    #[error(
        "unknown embedding model: use local/all-MiniLM-L6-v2, or openai/ or ollama/ and the server's own name of the model"
    )]
    UnknownModel,
    /// The host's settings do not give this model.
    #[error("the embedding model cannot be used with this host's settings: {0}")]
    NotSetUp(&'static str),
    /// The weights of the local model are not there, or are others.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Too much waits for a model already.
    #[error("too many texts wait for the embedding model")]
    Busy,
    /// The server refused the host's key.
    #[error("the embedding server refused this host's credentials")]
    Unauthorised,
    /// The server limits the rate of requests.
    #[error("the embedding server is limiting the rate of requests")]
    RateLimited {
        /// The wait that the server asks for.
        retry_after: Option<Duration>,
    },
    /// The server could not be reached, closed the connection, or had an internal error.
    #[error("the embedding server is unavailable")]
    Unavailable(#[source] Cause),
    /// The server took too long.
    #[error("the embedding server took too long")]
    Timeout,
    /// A text is longer than the server's model takes.
    #[error("a text is too long for the embedding model")]
    TooLong,
    /// The server refuses this request; a repetition would fail as well.
    #[error("the embedding server refused the request{}", in_brackets(.code.as_deref()))]
    Refused {
        /// The server's error code.
        code: Option<String>,
    },
    /// The server's answer is none, or its vectors cannot be used.
    #[error("the embedding server's answer cannot be used: {0}")]
    Answer(&'static str),
    /// The local model failed at its work.
    #[error("the embedding model failed")]
    Failed(#[source] Cause),
}

impl EmbeddingError {
    /// Whether the same request may succeed later, without a change by anybody.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy | Self::RateLimited { .. } | Self::Unavailable(_) | Self::Timeout)
    }
}

impl Problem for EmbeddingError {
    fn kind(&self) -> Kind {
        match self {
            Self::UnknownModel => Kind::BadRequest,
            Self::TooLong => Kind::Unprocessable,
            Self::Busy => Kind::Busy,
            Self::NotSetUp(_) | Self::Weights(_) | Self::RateLimited { .. } | Self::Unavailable(_) => Kind::Unavailable,
            Self::Timeout => Kind::Deadline,
            Self::Unauthorised | Self::Refused { .. } | Self::Answer(_) => Kind::Upstream,
            Self::Failed(_) => Kind::Internal,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NotSetUp(_) | Self::Weights(_) => "the embedding model is not set up on this host".to_owned(),
            _ => self.to_string(),
        }
    }
}

/// What is wrong with the files of the local model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WeightsError {
    /// No folder is set.
    #[error("no folder with the files of the embedding model is set; `./dev weights` fetches them")]
    NoFolder,
    /// A file is not there.
    #[error("{0} is missing; `./dev weights FOLDER` fetches the files of the embedding model")]
    Missing(PathBuf),
    /// A file cannot be read.
    #[error("{0} cannot be read ({1})")]
    Unreadable(PathBuf, std::io::ErrorKind),
    /// A file is not the one that this version was made for.
    #[error(
        "{0} is not the file of all-MiniLM-L6-v2 that this host knows; `./dev weights FOLDER` fetches the right one"
    )]
    Wrong(PathBuf),
}

/// The reason of a failure, for the operator's log. It holds nothing that a server sent, and no text of a user.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Cause(String);

impl Cause {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

fn in_brackets(code: Option<&str>) -> String {
    code.map(|code| format!(" ({code})")).unwrap_or_default()
}
