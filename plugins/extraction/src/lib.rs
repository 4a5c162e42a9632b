//! Turns a user's document into Markdown pages.
//!
//! The component is called with one document, reaches its bytes and nothing else, and hands over pages. The bytes are
//! hostile: sizes are bounded before memory is taken, nesting is bounded before a function calls itself, and what
//! cannot be read is a [`Failure`] and not a trap.

mod document;
mod failure;
#[cfg(target_family = "wasm")]
mod guest;
mod pages;
mod pdf;
#[cfg(test)]
mod testing;
mod unpack;
mod writer;
mod xml;

use document::Document;
pub use document::Source;
pub use failure::{Failure, Reason};
use pages::Pages;
pub use pages::{Page, Sink, Summary};

/// Hands over the pages of a document, and says what it is. `extension` is the end of its name, in small letters.
pub fn extract(source: &dyn Source, _extension: &str, sink: &mut dyn Sink) -> Result<Summary, Failure> {
    let mut document = Document::new(source);
    let mut pages = Pages::new("pdf", sink);
    let result = pdf::extract(&mut document, &mut pages);
    pages.finish(result)
}
