//! What a run has done so far, as the loop knows it.

use behalf_models::{FinishReason, Message, ToolCall, Usage};

use super::records::{CallRecord, JournalEntry, ReasoningRecord, StepRecord, THINKING};
use crate::knowledge::Quoted;

/// Notes of one run.
const MAX_NOTES: usize = 20;

/// What a run has done so far. It outlives the loop, so that a run which is cut short keeps what it did.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// Text of all steps.
    pub(crate) content: String,
    /// The messages that the run added to the conversation.
    pub(crate) messages: Vec<Message>,
    /// One record per step.
    pub(crate) steps: Vec<StepRecord>,
    /// One record per tool call.
    pub(crate) tool_calls: Vec<CallRecord>,
    /// The model's thoughts.
    pub(crate) reasoning: Vec<ReasoningRecord>,
    /// Tokens of all steps.
    pub(crate) usage: Usage,
    /// Tokens of agents that were asked; their own runs account for them.
    pub(crate) delegated_tokens: u64,
    /// The model that goes on where the agent's own failed.
    pub(crate) fallback: Option<String>,
    /// Calls that were begun and have no result.
    pub(crate) begun: Vec<(u32, String)>,
    /// The passages that tools found.
    pub(crate) quoted: Vec<Quoted>,
    /// What the operator should know of requests to the model.
    pub(crate) notes: Vec<String>,
}

/// The calls of the last turn, where not all of them have a result.
#[derive(Debug)]
pub(crate) struct OpenTurn {
    pub(crate) step: u32,
    pub(crate) calls: Vec<ToolCall>,
    pub(crate) finish_reason: FinishReason,
}

impl Transcript {
    /// What a run had done when its journal ended.
    pub(crate) fn restore(entries: impl IntoIterator<Item = JournalEntry>) -> Self {
        let mut transcript = Self::default();
        for entry in entries {
            if let JournalEntry::Turn { text, usage, .. } = &entry {
                transcript.content.push_str(text);
                transcript.spend(*usage);
            }
            transcript.apply(entry);
        }
        transcript
    }

    /// Takes in what was written down. Text and tokens of a turn came while the model spoke.
    pub(crate) fn apply(&mut self, entry: JournalEntry) {
        match entry {
            JournalEntry::Turn { text, calls, reasoning, opaque, usage: _, record } => {
                if let Some(content) = reasoning {
                    self.reasoning.push(ReasoningRecord { step: record.step, source: THINKING, content });
                }
                self.steps.push(record);
                self.messages.push(Message::Assistant { content: text, tool_calls: calls, opaque });
            }
            JournalEntry::Begun { step, call_id } => self.begun.push((step, call_id)),
            JournalEntry::Result { step, message, record, delegated_tokens, quoted } => {
                self.begun.retain(|(of, id)| !(*of == step && *id == record.call_id));
                self.delegated_tokens = self.delegated_tokens.saturating_add(delegated_tokens);
                self.quoted.extend(quoted);
                self.messages.push(message);
                self.tool_calls.push(record);
            }
            JournalEntry::Fallback { model } => self.fallback = Some(model),
        }
    }

    /// Keeps a note, once.
    pub(crate) fn note(&mut self, note: String) {
        if self.notes.len() < MAX_NOTES && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The last turn, where calls of it wait for their results.
    pub(crate) fn open_turn(&self) -> Option<OpenTurn> {
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
    pub(crate) fn spent_tokens(&self) -> u64 {
        self.usage.total_tokens.saturating_add(self.delegated_tokens)
    }

    /// Adds a step's tokens.
    pub(crate) fn spend(&mut self, usage: Usage) {
        let total = &mut self.usage;
        total.input_tokens = total.input_tokens.saturating_add(usage.input_tokens);
        total.output_tokens = total.output_tokens.saturating_add(usage.output_tokens);
        total.total_tokens = total.total_tokens.saturating_add(usage.total_tokens);
        total.cached_tokens = total.cached_tokens.saturating_add(usage.cached_tokens);
        total.reasoning_tokens = total.reasoning_tokens.saturating_add(usage.reasoning_tokens);
    }
}

#[cfg(test)]
mod tests {
    use behalf_models::Opaque;
    use serde_json::{Value, json};

    use super::super::records::CallStatus;
    use super::*;

    fn turn(step: u32, calls: &[&str]) -> JournalEntry {
        let call = |id: &&str| ToolCall { id: (*id).to_owned(), name: "look".to_owned(), arguments: json!({}) };
        JournalEntry::Turn {
            text: format!("step {step}. "),
            calls: calls.iter().map(call).collect(),
            reasoning: Some("hm".to_owned()),
            opaque: Some(Box::new(Opaque { origin: "somebody".to_owned(), ..Opaque::default() })),
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

    fn result(step: u32, id: &str) -> JournalEntry {
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
        JournalEntry::Result {
            step,
            message: Message::tool(&call, "seen"),
            record,
            delegated_tokens: 1,
            quoted: Vec::new(),
        }
    }

    #[test]
    fn a_run_goes_on_with_the_calls_that_have_no_result() {
        let begun = JournalEntry::Begun { step: 2, call_id: "b".to_owned() };
        // Call ids are the model's own, and some count anew in every step.
        let entries =
            [turn(1, &["a", "b"]), result(1, "a"), result(1, "b"), turn(2, &["a", "b", "c"]), result(2, "a"), begun];
        // As it is stored.
        let text = serde_json::to_string(&entries.to_vec()).expect("JSON");
        let transcript = Transcript::restore(serde_json::from_str::<Vec<JournalEntry>>(&text).expect("the same"));
        let open = transcript.open_turn().expect("two calls wait");
        assert_eq!((open.step, open.calls.len(), open.calls[0].id.as_str()), (2, 2, "b"));
        let signed = |message: &Message| matches!(message, Message::Assistant { opaque: Some(opaque), .. } if opaque.origin == "somebody");
        assert_eq!(transcript.messages.iter().filter(|message| signed(message)).count(), 2);
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
