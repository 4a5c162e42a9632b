use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::journal::Entry;
use crate::models::{FinishReason, Message, ToolCall, Usage};

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
    /// Tokens of agents that were asked; their own runs account for them.
    pub(super) delegated_tokens: u64,
    /// The model that goes on where the agent's own failed.
    pub(super) fallback: Option<String>,
    /// Calls that were begun and have no result.
    pub(super) begun: Vec<(u32, String)>,
}

/// One step, as clients see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CallRecord {
    pub(super) step: u32,
    pub(super) call_id: String,
    pub(super) tool_name: String,
    pub(super) arguments: Value,
    pub(super) result: String,
    pub(super) status: CallStatus,
    pub(super) duration_ms: f64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CallStatus {
    Success,
    Error,
}

/// What the model thought aloud in one step.
#[derive(Debug, Serialize)]
pub(super) struct ReasoningRecord {
    pub(super) step: u32,
    pub(super) source: &'static str,
    pub(super) content: String,
}

/// Where the model's thinking comes from, in the platform's words.
pub(super) const THINKING: &str = "thinking";

/// The calls of the last turn, where not all of them have a result.
#[derive(Debug)]
pub(super) struct OpenTurn {
    pub(super) step: u32,
    pub(super) calls: Vec<ToolCall>,
    pub(super) finish_reason: FinishReason,
}

impl Transcript {
    /// What a run had done when its journal ended.
    pub(super) fn restore(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut transcript = Self::default();
        for entry in entries {
            if let Entry::Turn { text, usage, .. } = &entry {
                transcript.content.push_str(text);
                transcript.spend(*usage);
            }
            transcript.apply(entry);
        }
        transcript
    }

    /// Takes in what was written down. Text and tokens of a turn came while the model spoke.
    pub(super) fn apply(&mut self, entry: Entry) {
        match entry {
            Entry::Turn { text, calls, reasoning, usage: _, record } => {
                if let Some(content) = reasoning {
                    self.reasoning.push(ReasoningRecord { step: record.step, source: THINKING, content });
                }
                self.steps.push(record);
                self.messages.push(Message::Assistant { content: text, tool_calls: calls });
            }
            Entry::Begun { step, call_id } => self.begun.push((step, call_id)),
            Entry::Result { step, message, record, delegated_tokens } => {
                self.begun.retain(|(of, id)| !(*of == step && *id == record.call_id));
                self.delegated_tokens = self.delegated_tokens.saturating_add(delegated_tokens);
                self.messages.push(message);
                self.tool_calls.push(record);
            }
            Entry::Fallback { model } => self.fallback = Some(model),
        }
    }

    /// The last turn, where calls of it wait for their results.
    pub(super) fn open_turn(&self) -> Option<OpenTurn> {
        let last = self.messages.iter().rposition(|message| matches!(message, Message::Assistant { .. }))?;
        let (asked, answered) = self.messages.split_at(last + 1);
        let (Some(Message::Assistant { tool_calls, .. }), Some(record)) = (asked.last(), self.steps.last()) else {
            return None;
        };
        let has_result = |call: &&ToolCall| {
            answered.iter().any(|message| matches!(message, Message::Tool { call_id, .. } if *call_id == call.id))
        };
        let calls: Vec<_> = tool_calls.iter().filter(|call| !has_result(call)).cloned().collect();
        (!calls.is_empty()).then_some(OpenTurn { step: record.step, calls, finish_reason: record.finish_reason })
    }

    /// Tokens that count against the run's budget.
    pub(super) fn spent_tokens(&self) -> u64 {
        self.usage.total_tokens.saturating_add(self.delegated_tokens)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(step: u32, calls: &[&str]) -> Entry {
        let call = |id: &&str| ToolCall { id: (*id).to_owned(), name: "look".to_owned(), arguments: json!({}) };
        Entry::Turn {
            text: format!("step {step}. "),
            calls: calls.iter().map(call).collect(),
            reasoning: Some("hm".to_owned()),
            usage: Usage { total_tokens: 10, ..Usage::default() },
            record: StepRecord {
                step,
                finish_reason: FinishReason::ToolCalls,
                has_tool_calls: true,
                content: String::new(),
                usage: Value::Null,
                duration_ms: 0.0,
                reasoning_ms: None,
            },
        }
    }

    fn result(step: u32, id: &str) -> Entry {
        let call = ToolCall { id: id.to_owned(), name: "look".to_owned(), arguments: json!({}) };
        let record = CallRecord {
            step,
            call_id: id.to_owned(),
            tool_name: call.name.clone(),
            arguments: json!({}),
            result: "seen".to_owned(),
            status: CallStatus::Success,
            duration_ms: 0.0,
        };
        Entry::Result { step, message: Message::tool(&call, "seen"), record, delegated_tokens: 1 }
    }

    #[test]
    fn a_run_goes_on_with_the_calls_that_have_no_result() {
        let begun = Entry::Begun { step: 2, call_id: "b".to_owned() };
        // Call ids are the model's own, and some count anew in every step.
        let entries =
            [turn(1, &["a", "b"]), result(1, "a"), result(1, "b"), turn(2, &["a", "b", "c"]), result(2, "a"), begun];
        // As it is stored.
        let text = serde_json::to_string(&entries.to_vec()).expect("JSON");
        let transcript = Transcript::restore(serde_json::from_str::<Vec<Entry>>(&text).expect("the same"));
        let open = transcript.open_turn().expect("two calls wait");
        assert_eq!((open.step, open.calls.len(), open.calls[0].id.as_str()), (2, 2, "b"));
        assert_eq!(transcript.begun, [(2, "b".to_owned())]);
        assert_eq!((transcript.content.as_str(), transcript.spent_tokens()), ("step 1. step 2. ", 23));
        assert_eq!((transcript.reasoning.len(), transcript.tool_calls.len()), (2, 3));
    }

    #[test]
    fn a_turn_with_all_its_results_is_closed() {
        assert!(Transcript::restore([turn(1, &["a"]), result(1, "a")]).open_turn().is_none());
        assert!(Transcript::restore([]).open_turn().is_none());
    }
}
