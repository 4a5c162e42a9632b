//! Why a document is not fetched: a closed list of codes, and one sentence for each.

use behalf_blobs::{BlobError, WriteError};
use behalf_queue::Failure;
use behalf_sandbox::OutboundError;
use http::StatusCode;
use thiserror::Error;

/// Why a document is not fetched. The sentences quote nothing of a server.
#[derive(Debug, Error)]
pub(super) enum FetchError {
    /// The row has no address that can be used.
    #[error("the address of this source cannot be used")]
    Address,
    /// The server cannot be reached, or its answer cannot be read.
    #[error("the document cannot be fetched: {0}")]
    Outbound(#[from] OutboundError),
    /// The server did not answer with a document.
    #[error("the server answered with status {}", .0.as_u16())]
    Status(StatusCode),
    /// The document is too large.
    #[error("the document has more than {0} bytes")]
    TooLarge(u64),
    /// The document is of no known kind.
    #[error("the address leads to nothing that can be read as a document")]
    Type,
    /// The server compressed it although it was asked not to.
    #[error("the server sent the document in an encoding that was not asked for")]
    Encoding,
    /// There is nothing in it.
    #[error("the document is empty")]
    Empty,
    /// The owner has the same file already.
    #[error("this file is there already, as another source")]
    Duplicate,
    /// The host's own store failed.
    #[error("the document cannot be kept right now")]
    Store(#[source] BlobError),
}

impl FetchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address | Self::Outbound(OutboundError::Address) => "bad_address",
            Self::Outbound(OutboundError::Prohibited) => "address_prohibited",
            Self::Outbound(OutboundError::Timeout) => "timeout",
            Self::Outbound(OutboundError::TooLarge(_)) | Self::TooLarge(_) => "too_large",
            Self::Outbound(OutboundError::Redirects | OutboundError::Redirect) => "bad_redirect",
            Self::Outbound(OutboundError::Failed(_)) => "unreachable",
            Self::Status(_) => "http_status",
            Self::Type => "unsupported_type",
            Self::Encoding => "unsupported_encoding",
            Self::Empty => "empty",
            Self::Duplicate => "duplicate_source",
            Self::Store(_) => "unavailable",
        }
    }

    /// Whether the same may succeed later.
    fn may_pass(&self) -> bool {
        match self {
            Self::Outbound(OutboundError::Timeout | OutboundError::Failed(_)) | Self::Store(_) => true,
            Self::Status(status) => status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429),
            _ => false,
        }
    }

    /// What the job is told. The last attempt says why it failed, as one that no other follows.
    pub(super) fn into_failure(self, is_last: bool) -> Failure {
        if self.may_pass() && !is_last {
            return Failure::retry(self);
        }
        Failure::Final { code: self.code(), message: self.to_string() }
    }
}

impl From<WriteError<OutboundError>> for FetchError {
    fn from(error: WriteError<OutboundError>) -> Self {
        match error {
            WriteError::TooLarge(most) | WriteError::Source(OutboundError::TooLarge(most)) => Self::TooLarge(most),
            WriteError::Source(error) => Self::Outbound(error),
            WriteError::Blob(error) => Self::Store(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_again_and_the_last_attempt_says_why() {
        let away = || FetchError::Status(StatusCode::SERVICE_UNAVAILABLE);
        assert!(matches!(away().into_failure(false), Failure::Retry(_)));
        assert!(matches!(away().into_failure(true), Failure::Final { code: "http_status", .. }));
        for (error, code) in [
            (FetchError::Status(StatusCode::NOT_FOUND), "http_status"),
            (FetchError::Outbound(OutboundError::Prohibited), "address_prohibited"),
            (FetchError::TooLarge(1), "too_large"),
            (FetchError::Duplicate, "duplicate_source"),
        ] {
            assert!(matches!(error.into_failure(false), Failure::Final { code: is, .. } if is == code), "{code}");
        }
    }
}
