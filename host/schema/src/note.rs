//! What of a schema is not checked, and why.

use serde::Serialize;

/// Notes that are kept for one schema; a longer list would not help its reader.
const MAX_NOTES: usize = 20;

/// A part of a schema that values are not checked against. They pass it unchecked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unchecked {
    /// JSON Pointer (RFC 6901) of the part in the schema.
    pub pointer: String,
    /// Why it is not checked.
    pub reason: String,
    /// Whether the schema is wrong there. If not, it is a schema, and the host does not check so much.
    #[serde(skip)]
    pub is_mistake: bool,
}

/// The notes on one schema, and how many there would be without a bound.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    kept: Vec<Unchecked>,
    count: usize,
}

impl Notes {
    /// Adds a note, unless there is one of this place.
    pub(crate) fn add(&mut self, pointer: String, reason: String, is_mistake: bool) {
        self.count += 1;
        if self.kept.len() < MAX_NOTES && self.kept.iter().all(|note| note.pointer != pointer) {
            self.kept.push(Unchecked { pointer, reason, is_mistake });
        }
    }

    /// How many notes were added. A part of a schema that adds none is checked whole.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The notes.
    pub(crate) fn into_kept(self) -> Vec<Unchecked> {
        self.kept
    }
}
