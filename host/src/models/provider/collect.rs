//! Puts an answer together from the client library's events, within bounds.

use std::collections::VecDeque;

use genai::chat::{
    ChatStreamEvent, StopReason, StreamEnd, ToolCall as WireCall, Usage as WireUsage,
};
use serde_json::{Map, Value};

use crate::models::{
    ModelError,
    chat::{Delta, FinishReason, ToolCall, Usage},
    name::Family,
};

/// Far beyond what models write in one turn; an endpoint that sends more is broken or hostile.
const MAX_TEXT_BYTES: usize = 2 << 20;
/// Arguments end up in a tool's memory and in the database.
const MAX_ARGUMENT_BYTES: usize = 512 << 10;
/// What a piece of a call counts for beside its text, or empty ones could come for ever.
const PIECE_BYTES: usize = 16;
/// No model calls as many tools at once.
const MAX_CALLS: usize = 64;
/// Names and ids come back in every later request.
const MAX_NAME_BYTES: usize = 128;

/// The answer as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Collector {
    ready: VecDeque<Delta>,
    calls: Vec<Call>,
    text_bytes: usize,
    argument_bytes: usize,
    /// Whether a piece of a call holds all its arguments so far, not only the new ones.
    cumulative: bool,
    pub(super) done: bool,
}

#[derive(Debug)]
struct Call {
    id: String,
    name: String,
    arguments: Arguments,
}

#[derive(Debug)]
enum Arguments {
    Text(String),
    Whole(Value),
}

impl Collector {
    pub(super) fn new(family: Family) -> Self {
        Self {
            cumulative: family == Family::Anthropic,
            ..Self::default()
        }
    }

    /// Takes an event; says whether the answer got on.
    pub(super) fn take(&mut self, event: ChatStreamEvent) -> Result<bool, ModelError> {
        match event {
            ChatStreamEvent::Start | ChatStreamEvent::Heartbeat => return Ok(false),
            ChatStreamEvent::Chunk(chunk) => return self.text(chunk.content, Delta::Text),
            ChatStreamEvent::ReasoningChunk(chunk) => {
                return self.text(chunk.content, Delta::Reasoning);
            }
            ChatStreamEvent::ThoughtSignatureChunk(chunk) => {
                self.count_text(chunk.content.len())?
            }
            ChatStreamEvent::ToolCallChunk(chunk) => self.call(chunk.tool_call)?,
            ChatStreamEvent::End(end) => self.end(&end),
        }
        Ok(true)
    }

    /// The next piece that can be handed on.
    pub(super) fn next(&mut self) -> Option<Delta> {
        self.ready.pop_front()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    fn text(
        &mut self,
        text: String,
        delta: impl FnOnce(String) -> Delta,
    ) -> Result<bool, ModelError> {
        if text.is_empty() {
            return Ok(false);
        }
        self.count_text(text.len())?;
        self.ready.push_back(delta(text));
        Ok(true)
    }

    fn count_text(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        if self.text_bytes > MAX_TEXT_BYTES {
            Err(ModelError::TooLong("its text is too long"))
        } else {
            Ok(())
        }
    }

    /// Takes a piece of a call. OpenAI's protocol brings the arguments in pieces, of which only the first has a
    /// name; Anthropic's comes as all there is so far; the others bring whole calls.
    fn call(&mut self, piece: WireCall) -> Result<(), ModelError> {
        if piece.call_id.len() > MAX_NAME_BYTES || piece.fn_name.len() > MAX_NAME_BYTES {
            return Err(ModelError::Protocol("a tool call's name is too long"));
        }
        self.argument_bytes = self.argument_bytes.saturating_add(PIECE_BYTES);
        match piece.fn_arguments {
            Value::String(text) => match self.begun(&piece.call_id, &piece.fn_name) {
                Some(at) => self.append(at, &text)?,
                None if piece.fn_name.is_empty() => {
                    return Err(ModelError::Protocol("a tool call has no name"));
                }
                None => {
                    self.argument_bytes = self.argument_bytes.saturating_add(text.len());
                    self.begin(&piece.call_id, piece.fn_name, Arguments::Text(text))?;
                }
            },
            whole => {
                self.argument_bytes = self.argument_bytes.saturating_add(whole.to_string().len());
                self.begin(&piece.call_id, piece.fn_name, Arguments::Whole(whole))?;
            }
        }
        if self.argument_bytes > MAX_ARGUMENT_BYTES {
            return Err(ModelError::TooLong("its tool arguments are too long"));
        }
        Ok(())
    }

    /// The call a piece continues. The library gives pieces without an id the name `call_` and their index.
    fn begun(&self, id: &str, name: &str) -> Option<usize> {
        let same = self
            .calls
            .iter()
            .rposition(|call| call.id == id && (name.is_empty() || call.name == name));
        if same.is_some() || !name.is_empty() {
            return same;
        }
        let index = id
            .strip_prefix("call_")
            .and_then(|index| index.parse::<usize>().ok());
        index
            .filter(|index| *index < self.calls.len())
            .or_else(|| self.calls.len().checked_sub(1))
    }

    fn begin(&mut self, id: &str, name: String, arguments: Arguments) -> Result<(), ModelError> {
        if self.calls.len() >= MAX_CALLS {
            return Err(ModelError::TooLong("it calls too many tools"));
        }
        let id = if id.is_empty() || self.calls.iter().any(|call| call.id == id) {
            format!("call_{}_{}", self.calls.len(), name)
        } else {
            id.to_owned()
        };
        self.calls.push(Call {
            id,
            name,
            arguments,
        });
        Ok(())
    }

    fn append(&mut self, at: usize, piece: &str) -> Result<(), ModelError> {
        let Some(Call {
            arguments: Arguments::Text(text),
            ..
        }) = self.calls.get_mut(at)
        else {
            return Err(ModelError::Protocol("a tool call goes on after its end"));
        };
        if self.cumulative {
            self.argument_bytes = self
                .argument_bytes
                .saturating_add(piece.len().saturating_sub(text.len()));
            text.clear();
        } else {
            self.argument_bytes = self.argument_bytes.saturating_add(piece.len());
        }
        text.push_str(piece);
        Ok(())
    }

    fn end(&mut self, end: &StreamEnd) {
        let mut finish_reason = finish_reason(end.captured_stop_reason.as_ref());
        let cut = finish_reason == FinishReason::Length;
        let calls = std::mem::take(&mut self.calls);
        // Some endpoints say `stop` whatever happened.
        if !calls.is_empty() && matches!(finish_reason, FinishReason::Stop | FinishReason::Other) {
            finish_reason = FinishReason::ToolCalls;
        }
        self.ready.extend(
            calls
                .into_iter()
                .map(|call| Delta::ToolCall(call.finish(cut))),
        );
        let usage = end.captured_usage.as_ref().map(usage).unwrap_or_default();
        self.ready.push_back(Delta::Done {
            usage,
            finish_reason,
        });
        self.done = true;
    }
}

impl Call {
    fn finish(self, cut: bool) -> ToolCall {
        let arguments = match self.arguments {
            Arguments::Whole(arguments) => arguments,
            // Nothing means no arguments, unless the model was interrupted before it wrote them.
            Arguments::Text(text) if text.trim().is_empty() && !cut => Value::Object(Map::new()),
            Arguments::Text(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        };
        ToolCall {
            id: self.id,
            name: self.name,
            arguments,
        }
    }
}

fn finish_reason(reason: Option<&StopReason>) -> FinishReason {
    match reason {
        Some(StopReason::Completed(_) | StopReason::StopSequence(_)) => FinishReason::Stop,
        Some(StopReason::MaxTokens(_)) => FinishReason::Length,
        Some(StopReason::ToolCall(_)) => FinishReason::ToolCalls,
        Some(StopReason::ContentFilter(_)) => FinishReason::ContentFilter,
        Some(StopReason::Other(_)) | None => FinishReason::Other,
    }
}

fn usage(usage: &WireUsage) -> Usage {
    // A negative count is an endpoint's mistake.
    let count = |count: Option<i32>| {
        count
            .and_then(|count| u64::try_from(count).ok())
            .unwrap_or(0)
    };
    let (input, output) = (count(usage.prompt_tokens), count(usage.completion_tokens));
    Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: count(usage.total_tokens).max(input + output),
        cached_tokens: count(
            usage
                .prompt_tokens_details
                .as_ref()
                .and_then(|details| details.cached_tokens),
        ),
        reasoning_tokens: count(
            usage
                .completion_tokens_details
                .as_ref()
                .and_then(|details| details.reasoning_tokens),
        ),
    }
}
