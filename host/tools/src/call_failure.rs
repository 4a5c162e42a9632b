//! Failures of calls that go to a server of the operator's, in the form of a tool's own errors.

use std::time::Duration;

use behalf_problem::Private;
use behalf_sandbox::{CallError, OutboundError};

/// A failure with a code and a message of the host's.
pub(crate) fn failed(code: &str, message: impl Into<Private>, retryable: bool) -> CallError {
    CallError::Tool { code: code.to_owned(), message: message.into(), retryable }
}

/// A failure on the way to a server. `server` names it in the message.
pub(crate) fn from_outbound(error: OutboundError, server: &str, timeout: Duration) -> CallError {
    match error {
        OutboundError::Timeout => CallError::Deadline(timeout),
        error => {
            let is_retryable = matches!(error, OutboundError::Failed(_));
            failed(error.name(), format!("{server} cannot be used: {error}"), is_retryable)
        }
    }
}
