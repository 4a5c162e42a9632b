//! Cuts the text of a source into what is stored: pieces of so many tokens, the whole document, or its sections.
//!
//! Everything here is pure, and gives the same for the same text: an attempt at a job that follows a broken one goes on where that one
//! ended, and the pieces have to be the same.

mod document;
mod headings;
mod parts;
mod pieces;
mod sections;
mod whole;

use serde_json::{Map, Value};
use thiserror::Error;

pub(crate) use document::{Document, Page};
pub(crate) use pieces::{Sizes, pieces};
pub(crate) use sections::sections;
pub(crate) use whole::whole;

/// Pieces of one document, at most. A thousand pages of a book are about 3,000 pieces of 256 tokens.
pub(crate) const MAX_PIECES: usize = 50_000;

/// What one row of `ai.chunks` will hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draft {
    /// Its text.
    pub(crate) text: String,
    /// Where it is in the text of the source: characters from its beginning. None where it is no part of that text.
    pub(crate) place: Option<(usize, usize)>,
    /// Its tokens.
    pub(crate) tokens: usize,
    /// What is known of it: `page`, `headings` and more.
    pub(crate) meta: Map<String, Value>,
    /// The text whose vector it has, if not its own.
    pub(crate) embedded: Option<String>,
}

/// Why a document is not cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum CutError {
    /// It would have too many pieces.
    #[error("The document has more than {MAX_PIECES} pieces; choose a larger chunk_size.")]
    TooMany,
    /// It is too long for one item.
    #[error("The document has more than {0} characters, too many for one item; choose chunk_embed.")]
    TooLong(usize),
    /// The attempt has to stop.
    #[error("the attempt was stopped")]
    Stopped,
}
