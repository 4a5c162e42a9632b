//! RTF: words that begin with `\`, groups in braces, and text between them.
//!
//! The library for it, rtf-parser, keeps the whole document and knows no tables; here a paragraph is written when it
//! ends.

mod columns;
mod tokens;
mod walker;

use crate::document::Document;
use crate::failure::Stop;
use crate::pages::Pages;
use crate::writer::Writer;
use columns::Columns;
use tokens::Tokens;
use walker::Walker;

/// Most bytes of a file. Pictures in it are written as text.
const MAX_FILE: u64 = 96 * 1024 * 1024;

/// Hands over an RTF file.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let bytes = document.read_all(MAX_FILE)?;
    let mut walker = Walker::new(Writer::new(pages), Columns::of(Tokens::new(&bytes)));
    for token in Tokens::new(&bytes) {
        walker.take(token)?;
    }
    walker.finish()
}

#[cfg(test)]
mod tests;
