//! A tool's answer, in words.

use super::records::CallStatus;
use crate::knowledge::Quoted;

/// A tool's answer, in words for the model.
#[derive(Debug, Default)]
pub(crate) struct ToolAnswer {
    /// The words.
    pub(crate) text: String,
    /// How the call ended.
    pub(crate) status: CallStatus,
    /// The call in the audit log.
    pub(crate) audit_id: Option<String>,
    /// Tokens of the agent that was asked.
    pub(crate) delegated_tokens: u64,
    /// The passages that it has.
    pub(crate) quoted: Vec<Quoted>,
}

impl ToolAnswer {
    /// Says why the call failed.
    pub(crate) fn failure(error: &dyn std::fmt::Display) -> Self {
        Self { text: format!("Error: {error}"), status: CallStatus::Error, ..Self::default() }
    }

    /// Says that nobody knows how the call ended.
    pub(crate) fn unknown(text: &str) -> Self {
        Self { text: text.to_owned(), status: CallStatus::Unknown, ..Self::default() }
    }

    /// Whether the call may not count as done.
    pub(crate) fn is_error(&self) -> bool {
        self.status != CallStatus::Success
    }
}
