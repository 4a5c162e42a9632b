//! Parses the events of a streamed chat completion.

use std::collections::VecDeque;

use serde_json::Value;

use crate::{
    ModelError,
    chat::{FinishReason, Usage},
    provider::{
        collect::{Arguments, CallPiece, Event},
        failure,
    },
};

/// Parses events. It remembers usage and finish reason, which belong to the end but arrive before it.
#[derive(Debug, Default)]
pub(super) struct Reader {
    usage: Usage,
    finish_reason: Option<FinishReason>,
}

impl Reader {
    /// Parses the content of a `data:` line. Compatible endpoints differ much, so a field of an unexpected type counts
    /// as absent.
    pub(super) fn read(&mut self, data: &[u8], events: &mut VecDeque<Event>) -> Result<(), ModelError> {
        if data == b"[DONE]" {
            events.push_back(self.end(FinishReason::Other));
            return Ok(());
        }
        let data: Value =
            serde_json::from_slice(data).map_err(|_| ModelError::Protocol("a piece of it is not JSON"))?;
        if let Some(error) = data.get("error").filter(|error| !error.is_null()) {
            return Err(failure::reported(error));
        }
        if let Some(usage) = data.get("usage").filter(|usage| usage.is_object()) {
            self.usage = read_usage(usage);
        }
        let Some(choice) = data.pointer("/choices/0") else {
            return Ok(());
        };
        if let Some(delta) = choice.get("delta") {
            read_delta(delta, events);
        }
        if let Some(reason) = choice.get("finish_reason").and_then(Value::as_str) {
            self.finish_reason = Some(read_reason(reason));
        }
        Ok(())
    }

    /// Handles the end of the body. It ends the answer only if a finish reason has arrived.
    pub(super) fn hung_up(&self, events: &mut VecDeque<Event>) {
        if let Some(reason) = self.finish_reason {
            events.push_back(self.end(reason));
        }
    }

    fn end(&self, otherwise: FinishReason) -> Event {
        Event::End { usage: self.usage, finish_reason: self.finish_reason.unwrap_or(otherwise) }
    }
}

fn read_delta(delta: &Value, events: &mut VecDeque<Event>) {
    let text = |key: &str| delta.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    // Two names of the same field; an endpoint that sends both sends the same text in both.
    events.extend(text("reasoning_content").or_else(|| text("reasoning")).map(Event::Reasoning));
    events.extend(text("content").or_else(|| text("refusal")).map(Event::Text));
    let calls = delta.get("tool_calls").and_then(Value::as_array);
    events.extend(calls.into_iter().flatten().filter(|call| call.is_object()).map(|call| Event::Call(read_call(call))));
}

fn read_call(call: &Value) -> CallPiece {
    let text = |pointer: &str| call.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arguments = match call.pointer("/function/arguments") {
        Some(whole @ Value::Object(_)) => Arguments::Whole(whole.clone()),
        _ => Arguments::More(text("/function/arguments")),
    };
    CallPiece {
        index: call.get("index").and_then(Value::as_u64),
        id: text("/id"),
        name: text("/function/name"),
        arguments,
    }
}

fn read_reason(reason: &str) -> FinishReason {
    match reason {
        "stop" | "eos" | "end_turn" => FinishReason::Stop,
        "tool_calls" | "function_call" | "tool_use" => FinishReason::ToolCalls,
        "length" | "max_tokens" => FinishReason::Length,
        "content_filter" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    }
}

fn read_usage(usage: &Value) -> Usage {
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (input, output) = (count("/prompt_tokens"), count("/completion_tokens"));
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: count("/total_tokens").max(input.saturating_add(output)),
        cached_tokens: count("/prompt_tokens_details/cached_tokens"),
        reasoning_tokens: count("/completion_tokens_details/reasoning_tokens"),
    }
}
