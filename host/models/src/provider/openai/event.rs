//! Parses the events of a streamed chat completion, and chat completions that come whole.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::{
    ModelError,
    chat::{FinishReason, Usage},
    error::Cause,
    provider::{
        collect::{Arguments, CallPiece, Event},
        failure::{Failure, reported},
    },
};

/// The field of messages that Gemini signs.
const EXTRA: &str = "extra_content";
/// The fields of calls in which signatures stand: Gemini's own, and that of `LiteLLM` before Vertex.
const SIGNED: [&str; 2] = [EXTRA, "provider_specific_fields"];

/// Parses events. It remembers usage and finish reason, which belong to the end but arrive before it.
#[derive(Debug, Default)]
pub(super) struct Reader {
    usage: Usage,
    finish_reason: Option<FinishReason>,
    /// Whether a piece had a `delta`. Some endpoints repeat the whole message at the end.
    has_delta: bool,
    has_message: bool,
    is_whole: bool,
}

impl Reader {
    /// Reads an event. Compatible endpoints differ much, so a field of an unexpected type counts as absent.
    pub(super) fn read(&mut self, data: &Value, events: &mut VecDeque<Event>) -> Result<(), Failure> {
        if let Some(error) = error_of(data) {
            return Err(reported(error));
        }
        let choice = data.pointer("/choices/0");
        // Moonshot counts in the choice, Groq in a field of its own.
        let usages = [data.get("usage"), choice.and_then(|choice| choice.get("usage")), data.pointer("/x_groq/usage")];
        if let Some(usage) = usages.into_iter().flatten().find(|usage| usage.is_object()) {
            self.usage = read_usage(usage);
        }
        let Some(choice) = choice else { return Ok(()) };
        if let Some(delta) = choice.get("delta").filter(|delta| delta.is_object()) {
            self.has_delta = true;
            read_delta(delta, events);
        } else if let Some(message) = choice.get("message").filter(|message| message.is_object() && !self.has_delta) {
            self.has_message = true;
            read_delta(message, events);
        }
        // Some endpoints send an empty reason with every piece, or the word null; Gemini's has had another name.
        let reasons = [choice.get("finish_reason"), choice.get("finishReason")];
        let mut reasons = reasons.into_iter().flatten().filter_map(Value::as_str);
        let reason = reasons.find(|reason| !matches!(*reason, "" | "null"));
        if let Some(reason) = reason {
            self.finish_reason = Some(read_reason(reason)?);
        }
        Ok(())
    }

    /// Says that the body is one answer, which needs no reason to be complete.
    pub(super) fn is_whole(&mut self) {
        self.is_whole = true;
    }

    /// The end, where the endpoint says that it is there.
    pub(super) fn end(&self) -> Event {
        Event::End { usage: self.usage, finish_reason: self.finish_reason.unwrap_or(FinishReason::Other) }
    }

    /// The end of the body. It ends the answer only if a finish reason has arrived, or if it is a whole one.
    pub(super) fn hung_up(&self) -> Option<Event> {
        (self.finish_reason.is_some() || (self.is_whole && self.has_message)).then(|| self.end())
    }
}

/// The error that a piece reports, in one of the forms that there are.
fn error_of(data: &Value) -> Option<&Value> {
    let given = |key: &str| data.get(key).filter(|value| !value.is_null());
    if let Some(error) = given("error") {
        return Some(error);
    }
    let is_status = data.pointer("/base_resp/status_code").and_then(Value::as_i64).is_some_and(|code| code != 0);
    let is_named = ["object", "type"].iter().any(|key| data.get(key).is_some_and(|value| value == "error"));
    let is_bare = given("choices").is_none()
        && (given("errors").is_some()
            || given("detail").is_some()
            || data.get("message").is_some_and(Value::is_string));
    (is_status || is_named || is_bare).then_some(data)
}

fn read_delta(delta: &Value, events: &mut VecDeque<Event>) {
    let text = |key: &str| delta.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    // Two names of the same field; an endpoint that sends both sends the same text in both.
    let thought = text("reasoning_content");
    events.extend(thought.clone().map(|thought| Event::Field("reasoning_content", Value::String(thought))));
    events.extend(thought.or_else(|| text("reasoning")).map(Event::Reasoning));
    // Gemini marks a thought so where it shows one.
    if delta.pointer("/extra_content/google/thought") == Some(&Value::Bool(true)) {
        events.extend(text("content").map(Event::Reasoning));
        return;
    }
    for field in ["reasoning_details", EXTRA] {
        let given = delta.get(field).filter(|value| value.is_array() || value.is_object());
        events.extend(given.map(|value| Event::Field(field, value.clone())));
    }
    match delta.get("content") {
        Some(Value::Array(chunks)) => chunks.iter().for_each(|chunk| read_chunk(chunk, events)),
        _ => events.extend(text("content").or_else(|| text("refusal")).map(Event::Text)),
    }
    let calls = match delta.get("tool_calls") {
        Some(Value::Array(calls)) => calls.as_slice(),
        Some(call @ Value::Object(_)) => std::slice::from_ref(call),
        _ => &[],
    };
    events.extend(calls.iter().filter(|call| call.is_object()).map(|call| Event::Call(read_call(call))));
    // The protocol before there were several calls.
    if let Some(function) = delta.get("function_call").filter(|function| function.is_object() && calls.is_empty()) {
        events.push_back(Event::Call(CallPiece { index: Some(0), ..read_function(function) }));
    }
}

/// A chunk of content that is a list, which Mistral's reasoning models write.
fn read_chunk(chunk: &Value, events: &mut VecDeque<Event>) {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = chunk.get("type").and_then(Value::as_str).unwrap_or("text");
    match (kind, chunk) {
        (_, Value::String(words)) => events.push_back(Event::Text(words.clone())),
        ("thinking" | "reasoning", _) => match chunk.get("thinking").or_else(|| chunk.get("text")) {
            Some(Value::Array(parts)) => {
                events.extend(parts.iter().map(|part| Event::Reasoning(text(part.get("text")))));
            }
            thought => events.push_back(Event::Reasoning(text(thought))),
        },
        ("text" | "output_text", _) => events.push_back(Event::Text(text(chunk.get("text")))),
        // References and pictures are no text.
        _ => {}
    }
}

fn read_call(call: &Value) -> CallPiece {
    let function = call.get("function").filter(|function| function.is_object());
    // Some write the function's fields beside the id.
    let piece = read_function(function.unwrap_or(call));
    let extra = SIGNED.iter().filter_map(|field| Some(((*field).to_owned(), call.get(*field)?.clone())));
    let extra: Map<_, _> = extra.filter(|(_, value)| value.is_object()).collect();
    CallPiece {
        index: call.get("index").and_then(Value::as_u64),
        id: call.get("id").and_then(Value::as_str).unwrap_or_default().to_owned(),
        opaque: if extra.is_empty() { Value::Null } else { Value::Object(extra) },
        ..piece
    }
}

fn read_function(function: &Value) -> CallPiece {
    let text = |key: &str| function.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let arguments = match function.get("arguments") {
        Some(whole @ Value::Object(_)) => Arguments::Whole(whole.clone()),
        _ => Arguments::More(text("arguments")),
    };
    CallPiece { name: text("name"), arguments, ..CallPiece::default() }
}

fn read_reason(reason: &str) -> Result<FinishReason, ModelError> {
    Ok(match reason.to_lowercase().as_str() {
        "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "complete" => FinishReason::Stop,
        "tool_calls" | "tool_call" | "function_call" | "tool_use" => FinishReason::ToolCalls,
        "length" | "max_tokens" | "model_length" | "max_output_tokens" => FinishReason::Length,
        "content_filter" | "sensitive" | "safety" | "recitation" | "prohibited_content" | "blocklist" | "spii"
        | "refusal" => FinishReason::ContentFilter,
        "error" | "network_error" | "insufficient_system_resource" | "abort" => {
            return Err(ModelError::Unavailable(Cause::new("it ended the answer with an error".to_owned())));
        }
        reason if reason.contains("malformed_function_call") => {
            return Err(ModelError::Unavailable(Cause::new("its model's tool call could not be read".to_owned())));
        }
        _ => FinishReason::Other,
    })
}

fn read_usage(usage: &Value) -> Usage {
    let count = |pointers: &[&str]| {
        pointers.iter().find_map(|pointer| usage.pointer(pointer).and_then(Value::as_u64)).unwrap_or(0)
    };
    let input = count(&["/prompt_tokens", "/input_tokens"]);
    let output = count(&["/completion_tokens", "/output_tokens"]);
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: count(&["/total_tokens"]).max(input.saturating_add(output)),
        cached_tokens: count(&["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cached_tokens"]),
        reasoning_tokens: count(&["/completion_tokens_details/reasoning_tokens", "/reasoning_tokens"]),
    }
}
