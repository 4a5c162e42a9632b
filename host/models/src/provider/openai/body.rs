//! Reads the body of an answer: server-sent events, or a whole answer of an endpoint that does not stream.

use std::collections::VecDeque;

use serde_json::Value;

use super::event::Reader;
use super::lines::{Line, Lines};
use crate::ModelError;
use crate::provider::collect::Event;
use crate::provider::failure::{Failure, reported};

/// The most bytes of an answer that comes whole.
const MAX_WHOLE_BYTES: usize = 8 << 20;
/// The most bytes of an event that is spread over several lines.
const MAX_EVENT_BYTES: usize = 4 << 20;
/// Some servers begin a body with it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What is said of an event that cannot be read.
const NOT_JSON: ModelError = ModelError::Protocol("a piece of it is not JSON");

/// A body while it is read.
#[derive(Debug, Default)]
pub(super) struct Body {
    form: Form,
    reader: Reader,
    /// The lines of an event whose first one is no complete JSON.
    pending: Vec<u8>,
}

/// The form of a body, which its first byte shows.
#[derive(Debug)]
enum Form {
    /// Only white space so far.
    Unknown(Vec<u8>),
    Events(Lines),
    Whole(Vec<u8>),
}

impl Default for Form {
    fn default() -> Self {
        Self::Unknown(Vec::new())
    }
}

impl Body {
    /// Adds the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        match &mut self.form {
            Form::Unknown(begun) => {
                begun.extend_from_slice(bytes);
                let begun = std::mem::take(begun);
                self.form = form_of(begun)?;
                Ok(())
            }
            Form::Events(lines) => lines.push(bytes),
            Form::Whole(whole) => {
                whole.extend_from_slice(bytes);
                if whole.len() > MAX_WHOLE_BYTES { Err(ModelError::TooLong("it does not end")) } else { Ok(()) }
            }
        }
    }

    /// Reads what has arrived up to the next event. Returns false where more bytes are needed.
    pub(super) fn advance(&mut self, ready: &mut VecDeque<Event>) -> Result<bool, Failure> {
        let Form::Events(lines) = &mut self.form else { return Ok(false) };
        let Some(line) = lines.next() else { return Ok(false) };
        match line {
            Line::Data(data) if data == b"[DONE]" => ready.push_back(self.reader.end()),
            Line::Data(data) => self.data(&data, ready)?,
            Line::Error(data) => return Err(error(&data)),
            Line::End => self.event_ended(ready)?,
        }
        Ok(true)
    }

    /// Reads a line of an event. Mostly it is the whole event; where it is not, it is read when the event has ended.
    fn data(&mut self, data: &[u8], ready: &mut VecDeque<Event>) -> Result<(), Failure> {
        if !self.pending.is_empty() {
            self.pending.push(b'\n');
            self.pending.extend_from_slice(data);
            let is_long = self.pending.len() > MAX_EVENT_BYTES;
            return if is_long { Err(ModelError::TooLong("a piece of it is too long").into()) } else { Ok(()) };
        }
        match serde_json::from_slice::<Value>(data) {
            Ok(value) => self.reader.read(&value, ready),
            Err(error) if error.is_eof() => {
                self.pending.extend_from_slice(data);
                Ok(())
            }
            Err(_) => Err(NOT_JSON.into()),
        }
    }

    /// Reads an event that was spread over several lines.
    fn event_ended(&mut self, ready: &mut VecDeque<Event>) -> Result<(), Failure> {
        let pending = std::mem::take(&mut self.pending);
        if pending.is_empty() {
            return Ok(());
        }
        let value: Value = serde_json::from_slice(&pending).map_err(|_| NOT_JSON)?;
        self.reader.read(&value, ready)
    }

    /// Handles the end of the body. Some endpoints close the connection instead of sending `[DONE]`.
    pub(super) fn ended(&mut self, ready: &mut VecDeque<Event>) -> Result<(), Failure> {
        if let Form::Whole(whole) = &mut self.form {
            let whole = std::mem::take(whole);
            for value in values(&whole)? {
                self.reader.read(&value, ready)?;
            }
            self.reader.is_whole();
        }
        self.event_ended(ready)?;
        ready.extend(self.reader.hung_up());
        Ok(())
    }
}

fn form_of(begun: Vec<u8>) -> Result<Form, ModelError> {
    if begun.len() < BYTE_ORDER_MARK.len() && BYTE_ORDER_MARK.starts_with(&begun) {
        return Ok(Form::Unknown(begun));
    }
    let text = begun.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&begun).trim_ascii_start();
    match text.first() {
        // White space says nothing, and is not kept.
        None => Ok(Form::Unknown(Vec::new())),
        Some(b'{' | b'[') => Ok(Form::Whole(text.to_vec())),
        Some(b'<') => Err(ModelError::Protocol("it is a web page; the address may not be that of an API")),
        Some(_) => {
            let mut lines = Lines::default();
            lines.push(text)?;
            Ok(Form::Events(lines))
        }
    }
}

/// The values of a body that is no event stream: one answer, a list of pieces, or a piece on each line.
fn values(whole: &[u8]) -> Result<Vec<Value>, ModelError> {
    match serde_json::from_slice(whole) {
        Ok(Value::Array(pieces)) => return Ok(pieces),
        Ok(value) => return Ok(vec![value]),
        Err(_) => {}
    }
    let pieces = serde_json::Deserializer::from_slice(whole).into_iter().collect::<Result<Vec<Value>, _>>();
    pieces.map_err(|_| ModelError::Protocol("it is neither JSON nor a stream of events"))
}

fn error(data: &[u8]) -> Failure {
    let text = || Value::String(String::from_utf8_lossy(data).into_owned());
    let value: Value = serde_json::from_slice(data).unwrap_or_else(|_| text());
    reported(value.get("error").filter(|error| !error.is_null()).unwrap_or(&value))
}
