use serde::Serialize;
use serde_json::{Value, json};

use crate::models::{FinishReason, Message, Usage};

/// What a run has done so far. It outlives the loop, so that a run which is cut short keeps what it did.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// Text of all steps.
    pub(super) content: String,
    /// What the run added to the conversation.
    pub(super) messages: Vec<Message>,
    /// One record per step.
    pub(super) steps: Vec<StepRecord>,
    /// One record per tool call.
    pub(super) tool_calls: Vec<CallRecord>,
    /// What the model thought aloud.
    pub(super) reasoning: Vec<ReasoningRecord>,
    /// Tokens of all steps.
    pub(super) usage: Usage,
}

/// One step, as clients see it.
#[derive(Debug, Serialize)]
pub(super) struct StepRecord {
    pub(super) step: u32,
    pub(super) finish_reason: FinishReason,
    pub(super) has_tool_calls: bool,
    pub(super) content: String,
    pub(super) usage: Value,
    pub(super) duration_ms: f64,
    /// Until the model's last thought; none where it showed none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reasoning_ms: Option<u64>,
}

/// One tool call, as clients see it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct CallRecord {
    pub(super) step: u32,
    pub(super) call_id: String,
    pub(super) tool_name: String,
    pub(super) arguments: Value,
    pub(super) result: String,
    pub(super) status: &'static str,
    pub(super) duration_ms: f64,
}

/// What the model thought aloud in one step.
#[derive(Debug, Serialize)]
pub(super) struct ReasoningRecord {
    pub(super) step: u32,
    pub(super) source: &'static str,
    pub(super) content: String,
}

impl Transcript {
    /// Adds a step's tokens.
    pub(super) fn spend(&mut self, usage: Usage) {
        let total = &mut self.usage;
        total.input_tokens = total.input_tokens.saturating_add(usage.input_tokens);
        total.output_tokens = total.output_tokens.saturating_add(usage.output_tokens);
        total.total_tokens = total.total_tokens.saturating_add(usage.total_tokens);
        total.cached_tokens = total.cached_tokens.saturating_add(usage.cached_tokens);
        total.reasoning_tokens = total.reasoning_tokens.saturating_add(usage.reasoning_tokens);
    }
}

/// Tokens in the platform's words.
pub(super) fn usage_json(usage: &Usage) -> Value {
    json!({
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "cached_tokens": usage.cached_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
    })
}
