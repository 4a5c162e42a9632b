//! Records of what a run did: those that clients see in its row, and the entries of its journal.

use behalf_models::{FinishReason, Message, Opaque, ToolCall, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::knowledge::Quoted;

/// One step, as clients see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct StepRecord {
    pub(crate) step: u32,
    pub(crate) finish_reason: FinishReason,
    pub(crate) has_tool_calls: bool,
    pub(crate) content: String,
    pub(crate) usage: Value,
    pub(crate) duration_ms: f64,
    /// Until the model's last thought; none where it showed none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_ms: Option<u64>,
}

/// One tool call, as clients see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CallRecord {
    pub(crate) step: u32,
    pub(crate) call_id: String,
    pub(crate) tool_name: String,
    pub(crate) arguments: Value,
    pub(crate) result: String,
    pub(crate) status: CallStatus,
    pub(crate) duration_ms: f64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CallStatus {
    #[default]
    Success,
    Error,
    /// The host stopped while it ran, and nobody knows whether it took effect.
    Unknown,
}

/// The model's thoughts in one step.
#[derive(Debug, Serialize)]
pub(crate) struct ReasoningRecord {
    pub(crate) step: u32,
    pub(crate) source: &'static str,
    pub(crate) content: String,
}

/// The source of a model's thoughts, in the platform's words.
pub(crate) const THINKING: &str = "thinking";

/// One thing that a run did, as its journal keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum JournalEntry {
    /// The model answered and wants calls made.
    Turn {
        text: String,
        calls: Vec<ToolCall>,
        reasoning: Option<String>,
        /// What the model's provider wants to read again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Box<Opaque>>,
        usage: Usage,
        record: StepRecord,
    },
    /// A call that may change something is about to be made.
    Begun { step: u32, call_id: String },
    /// A call returned.
    Result {
        step: u32,
        message: Message,
        record: CallRecord,
        delegated_tokens: u64,
        /// The passages that it has.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        quoted: Vec<Quoted>,
    },
    /// The model failed and another one goes on.
    Fallback { model: String },
}

/// An entry and how long the run had worked by then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WrittenEntry {
    #[serde(flatten)]
    pub(crate) entry: JournalEntry,
    pub(crate) worked_ms: u64,
}

/// Tokens in the platform's words.
pub(crate) fn usage_json(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    })
}
