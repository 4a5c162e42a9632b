//! Assembles an answer from an endpoint's events, within size limits.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use crate::{
    ModelError,
    chat::{Delta, FinishReason, ToolCall, Usage},
};

/// Far more than models write in one turn; an endpoint that sends more is broken or hostile.
const MAX_TEXT_BYTES: usize = 2 << 20;
/// Arguments end up in a tool's memory and in the database.
const MAX_ARGUMENT_BYTES: usize = 512 << 10;
/// What a piece of a call counts beside its text. Without it, an endpoint could send empty pieces without end.
const PIECE_BYTES: usize = 16;
/// No model calls as many tools at once.
const MAX_CALLS: usize = 64;
/// Names and ids are sent again in every later request.
const MAX_NAME_BYTES: usize = 128;

/// An event of an endpoint, the same for all protocols.
#[derive(Debug)]
pub(super) enum Event {
    /// An event that does not advance the answer.
    Noise,
    Text(String),
    Reasoning(String),
    Call(CallPiece),
    End {
        usage: Usage,
        finish_reason: FinishReason,
    },
}

/// A piece of a tool call. Pieces of one call share an index or, where there are none, an id.
#[derive(Debug)]
pub(super) struct CallPiece {
    pub(super) index: Option<u64>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Arguments,
}

/// The forms in which protocols send arguments.
#[derive(Debug)]
pub(super) enum Arguments {
    /// The next part of the text.
    More(String),
    /// The whole text so far.
    SoFar(String),
    /// The parsed arguments of a call that arrives in one piece.
    Whole(Value),
}

/// The part of an answer that has arrived.
#[derive(Debug, Default)]
pub(super) struct Collector {
    ready: VecDeque<Delta>,
    calls: Vec<Call>,
    text_bytes: usize,
    argument_bytes: usize,
    done: bool,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    text: String,
    whole: Option<Value>,
}

impl Collector {
    /// Adds an event. Returns whether it advanced the answer.
    pub(super) fn take(&mut self, event: Event) -> Result<bool, ModelError> {
        match event {
            Event::Noise => return Ok(false),
            Event::Text(text) | Event::Reasoning(text) if text.is_empty() => return Ok(false),
            Event::Text(text) => {
                self.count_text(text.len())?;
                self.ready.push_back(Delta::Text(text));
            }
            Event::Reasoning(text) => {
                self.count_text(text.len())?;
                self.ready.push_back(Delta::Reasoning(text));
            }
            Event::Call(piece) => self.call(piece)?,
            Event::End { usage, finish_reason } => self.end(usage, finish_reason),
        }
        Ok(true)
    }

    /// The next piece that can be passed on.
    pub(super) fn next(&mut self) -> Option<Delta> {
        self.ready.pop_front()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether the answer has ended.
    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    fn count_text(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.text_bytes = self.text_bytes.saturating_add(bytes);
        if self.text_bytes > MAX_TEXT_BYTES { Err(ModelError::TooLong("its text is too long")) } else { Ok(()) }
    }

    fn count_arguments(&mut self, bytes: usize) -> Result<(), ModelError> {
        self.argument_bytes = self.argument_bytes.saturating_add(bytes);
        if self.argument_bytes > MAX_ARGUMENT_BYTES {
            return Err(ModelError::TooLong("its tool arguments are too long"));
        }
        Ok(())
    }

    fn call(&mut self, piece: CallPiece) -> Result<(), ModelError> {
        if piece.id.len() > MAX_NAME_BYTES || piece.name.len() > MAX_NAME_BYTES {
            return Err(ModelError::Protocol("a tool call's name is too long"));
        }
        let at = match self.begun(&piece) {
            Some(at) => at,
            None => self.begin(&piece)?,
        };
        let before = self.calls.get(at).map_or(0, |call| call.text.len());
        let bytes = match &piece.arguments {
            Arguments::More(text) => text.len(),
            Arguments::SoFar(text) => text.len().saturating_sub(before),
            Arguments::Whole(value) => value.to_string().len(),
        };
        self.count_arguments(bytes.saturating_add(PIECE_BYTES))?;
        if let Some(call) = self.calls.get_mut(at) {
            match piece.arguments {
                Arguments::More(text) => call.text.push_str(&text),
                Arguments::SoFar(text) => call.text = text,
                Arguments::Whole(value) => call.whole = Some(value),
            }
        }
        Ok(())
    }

    /// The index of the call that a piece continues. Some endpoints repeat the name in every piece, some leave out the
    /// index.
    fn begun(&self, piece: &CallPiece) -> Option<usize> {
        if matches!(piece.arguments, Arguments::Whole(_)) {
            return None;
        }
        let fits = |call: &Call| {
            let same_name = piece.name.is_empty() || piece.name == call.name;
            let same_id = piece.id.is_empty() || piece.id == call.id;
            let same_index = piece.index.is_none() || piece.index == call.index;
            same_name && same_id && same_index
        };
        // A piece with a name but without id and index begins a call.
        let is_named = !piece.name.is_empty() && piece.id.is_empty() && piece.index.is_none();
        if is_named { None } else { self.calls.iter().rposition(fits) }
    }

    fn begin(&mut self, piece: &CallPiece) -> Result<usize, ModelError> {
        if piece.name.is_empty() {
            return Err(ModelError::Protocol("a tool call has no name"));
        }
        let at = self.calls.len();
        if at >= MAX_CALLS {
            return Err(ModelError::TooLong("it calls too many tools"));
        }
        let taken = piece.id.is_empty() || self.calls.iter().any(|call| call.id == piece.id);
        let id = if taken { format!("call_{at}_{}", piece.name) } else { piece.id.clone() };
        self.calls.push(Call { index: piece.index, id, name: piece.name.clone(), text: String::new(), whole: None });
        Ok(at)
    }

    fn end(&mut self, usage: Usage, mut finish_reason: FinishReason) {
        let cut = finish_reason == FinishReason::Length;
        let calls = std::mem::take(&mut self.calls);
        // Some endpoints always send `stop`.
        if !calls.is_empty() && matches!(finish_reason, FinishReason::Stop | FinishReason::Other) {
            finish_reason = FinishReason::ToolCalls;
        }
        self.ready.extend(calls.into_iter().map(|call| Delta::ToolCall(call.finish(cut))));
        self.ready.push_back(Delta::Done { usage, finish_reason });
        self.done = true;
    }
}

impl Call {
    fn finish(self, cut: bool) -> ToolCall {
        let arguments = match self.whole {
            Some(whole) => whole,
            // An empty text means no arguments, unless the answer was cut off before them.
            None if self.text.trim().is_empty() && !cut => Value::Object(Map::new()),
            None => serde_json::from_str(&self.text).unwrap_or(Value::String(self.text)),
        };
        ToolCall { id: self.id, name: self.name, arguments }
    }
}
