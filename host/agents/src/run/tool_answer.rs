//! A tool's answer, in words.

use crate::knowledge::Quoted;

/// A tool's answer, in words for the model.
#[derive(Debug, Default)]
pub(crate) struct ToolAnswer {
    /// The words.
    pub(crate) text: String,
    /// Whether the call failed.
    pub(crate) failed: bool,
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
        Self { text: format!("Error: {error}"), failed: true, ..Self::default() }
    }
}
