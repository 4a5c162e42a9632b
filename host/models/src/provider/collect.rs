//! Assembles an answer from an endpoint's events, within size limits.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::arguments;
use crate::{
    ModelError, Opaque,
    chat::{Delta, FinishReason, ToolCall, Usage},
    opaque,
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
/// Some gateways put a signature into the id. Such an id goes back to its provider only; the host has a shorter one.
const MAX_ID_BYTES: usize = 16 << 10;
/// What a provider wants to read again is stored with the conversation, and sent with every later request.
const MAX_OPAQUE_BYTES: usize = 1 << 20;

/// An event of an endpoint, the same for all protocols.
#[derive(Debug)]
pub(super) enum Event {
    /// An event that does not advance the answer.
    Noise,
    Text(String),
    Reasoning(String),
    Call(CallPiece),
    /// A part of a field of the message that the provider wants to read again.
    Field(&'static str, Value),
    End {
        usage: Usage,
        finish_reason: FinishReason,
    },
}

/// A piece of a tool call. Pieces of one call share an index or, where there are none, an id.
#[derive(Debug, Default)]
pub(super) struct CallPiece {
    pub(super) index: Option<u64>,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: Arguments,
    /// Fields of the call that the provider wants to read again: an object, or null.
    pub(super) opaque: Value,
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

impl Default for Arguments {
    fn default() -> Self {
        Self::More(String::new())
    }
}

/// The part of an answer that has arrived.
#[derive(Debug, Default)]
pub(super) struct Collector {
    ready: VecDeque<Delta>,
    calls: Vec<Call>,
    opaque: Opaque,
    text_bytes: usize,
    argument_bytes: usize,
    opaque_bytes: usize,
    /// Whether there was a text that is more than white space.
    has_text: bool,
    done: bool,
}

#[derive(Debug)]
struct Call {
    index: Option<u64>,
    /// As the endpoint wrote it.
    wire_id: String,
    /// As the host has it: not too long, and there once.
    id: String,
    name: String,
    text: String,
    whole: Option<Value>,
    opaque: Value,
}

impl Collector {
    /// Collects an answer of the endpoint and model of this digest; the notes come first.
    pub(super) fn new(origin: String, notes: Vec<String>) -> Self {
        let opaque = Opaque { origin, ..Opaque::default() };
        Self { ready: notes.into_iter().map(Delta::Note).collect(), opaque, ..Self::default() }
    }

    /// Adds an event. Returns whether it advanced the answer.
    pub(super) fn take(&mut self, event: Event) -> Result<bool, ModelError> {
        match event {
            Event::Noise => return Ok(false),
            Event::Text(text) | Event::Reasoning(text) if text.is_empty() => return Ok(false),
            Event::Text(text) => {
                self.count_text(text.len())?;
                self.has_text |= !text.trim().is_empty();
                self.ready.push_back(Delta::Text(text));
            }
            Event::Reasoning(text) => {
                self.count_text(text.len())?;
                self.ready.push_back(Delta::Reasoning(text));
            }
            Event::Call(piece) => self.call(piece)?,
            Event::Field(name, part) => {
                self.count_opaque(&part)?;
                add_field(&mut self.opaque.message, name, part);
            }
            Event::End { usage, finish_reason } => self.end(usage, finish_reason)?,
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

    /// Whether a piece of the answer can be passed on, beside notes.
    pub(super) fn has_begun(&self) -> bool {
        self.ready.iter().any(|delta| !matches!(delta, Delta::Note(_)))
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

    fn count_opaque(&mut self, part: &Value) -> Result<(), ModelError> {
        self.opaque_bytes = self.opaque_bytes.saturating_add(opaque::bytes(part) + PIECE_BYTES);
        if self.opaque_bytes > MAX_OPAQUE_BYTES {
            return Err(ModelError::TooLong("what its provider wants to read again is too long"));
        }
        Ok(())
    }

    fn call(&mut self, piece: CallPiece) -> Result<(), ModelError> {
        if piece.id.len() > MAX_ID_BYTES || piece.name.len() > MAX_NAME_BYTES {
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
        self.count_opaque(&piece.opaque)?;
        if let Some(call) = self.calls.get_mut(at) {
            if call.name.is_empty() {
                call.name = piece.name;
            }
            match piece.arguments {
                Arguments::More(text) => call.text.push_str(&text),
                Arguments::SoFar(text) => call.text = text,
                Arguments::Whole(value) => call.whole = Some(value),
            }
            opaque::add(&mut call.opaque, piece.opaque);
        }
        Ok(())
    }

    /// The place of the call that a piece continues: by its index first, and by its id second.
    ///
    /// Some endpoints repeat the name in every piece, some make a new id for every piece, some leave out the index, and some number
    /// every call 0. So of a piece with an index that is taken, only one with a name and another id may begin a call.
    fn begun(&self, piece: &CallPiece) -> Option<usize> {
        let is_named = !piece.name.is_empty();
        let last = |fits: &dyn Fn(&Call) -> bool| self.calls.iter().rposition(fits);
        if piece.index.is_some()
            && let Some(at) = last(&|call| call.index == piece.index)
        {
            let call = self.calls.get(at)?;
            return (!call.is_followed_by(piece)).then_some(at);
        }
        if !piece.id.is_empty() {
            let known = last(&|call| call.wire_id == piece.id);
            // A provider without indices may give several whole calls the same id.
            let is_another = matches!(piece.arguments, Arguments::Whole(_)) && piece.index.is_none();
            return if is_another || (known.is_none() && is_named) { None } else { known.or_else(|| last(&|_| true)) };
        }
        // A piece with a name but without id and index begins a call, and one with nothing goes on with the last.
        if is_named { None } else { last(&|_| true) }
    }

    fn begin(&mut self, piece: &CallPiece) -> Result<usize, ModelError> {
        if piece.name.is_empty() && piece.id.is_empty() && piece.index.is_none() {
            return Err(ModelError::Protocol("a tool call has no name"));
        }
        let at = self.calls.len();
        if at >= MAX_CALLS {
            return Err(ModelError::TooLong("it calls too many tools"));
        }
        let is_long = piece.id.len() > MAX_NAME_BYTES;
        let is_taken = piece.id.is_empty() || self.calls.iter().any(|call| call.id == piece.id);
        let id = if is_taken || is_long { format!("call_{at}_{}", piece.name) } else { piece.id.clone() };
        let opaque = if is_long { json!({ "id": piece.id }) } else { Value::Null };
        self.count_opaque(&opaque)?;
        let (wire_id, name) = (piece.id.clone(), piece.name.clone());
        self.calls.push(Call { index: piece.index, wire_id, id, name, text: String::new(), whole: None, opaque });
        Ok(at)
    }

    fn end(&mut self, usage: Usage, mut finish_reason: FinishReason) -> Result<(), ModelError> {
        let cut = finish_reason == FinishReason::Length;
        let calls = std::mem::take(&mut self.calls);
        if calls.iter().any(|call| call.name.is_empty()) {
            return Err(ModelError::Protocol("a tool call has no name"));
        }
        if calls.is_empty() && !self.has_text {
            return Err(ModelError::Empty { finish_reason, usage });
        }
        // Some endpoints always send `stop`.
        if !calls.is_empty() && matches!(finish_reason, FinishReason::Stop | FinishReason::Other) {
            finish_reason = FinishReason::ToolCalls;
        }
        let mut opaque = std::mem::take(&mut self.opaque);
        if calls.is_empty() {
            // Thoughts are wanted again beside tool calls only.
            opaque.message.remove("reasoning_content");
        }
        for call in calls {
            if !call.opaque.is_null() {
                opaque.calls.insert(call.id.clone(), call.opaque.clone());
            }
            self.ready.push_back(Delta::ToolCall(call.finish(cut)));
        }
        if !opaque.is_empty() {
            self.ready.push_back(Delta::Opaque(Box::new(opaque)));
        }
        self.ready.push_back(Delta::Done { usage, finish_reason });
        self.done = true;
        Ok(())
    }
}

fn add_field(fields: &mut Map<String, Value>, name: &str, part: Value) {
    match fields.get_mut(name) {
        Some(field) => opaque::add(field, part),
        None => drop(fields.insert(name.to_owned(), part)),
    }
}

impl Call {
    /// Whether a piece with this call's index is of the next call.
    fn is_followed_by(&self, piece: &CallPiece) -> bool {
        let is_same = !piece.id.is_empty() && piece.id == self.wire_id;
        if is_same || piece.name.is_empty() || self.name.is_empty() {
            return false;
        }
        let is_whole = self.whole.is_some() || self.text.trim().is_empty() || is_json(&self.text);
        let is_other = piece.name != self.name;
        if piece.id.is_empty() {
            // Without ids, a name may be a repetition: only whole arguments after whole ones are those of another call.
            let is_piece_whole = match &piece.arguments {
                Arguments::More(text) => is_json(text),
                Arguments::SoFar(_) => false,
                Arguments::Whole(_) => true,
            };
            return is_whole && (is_other || (is_piece_whole && !self.text.trim().is_empty()));
        }
        is_other || is_whole
    }

    fn finish(self, cut: bool) -> ToolCall {
        let arguments = match self.whole {
            Some(whole) => arguments::of_value(whole),
            // An empty text means no arguments, unless the answer was cut off before them.
            None if self.text.trim().is_empty() && cut => Value::String(self.text),
            None => arguments::read(self.text),
        };
        ToolCall { id: self.id, name: self.name, arguments }
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}
