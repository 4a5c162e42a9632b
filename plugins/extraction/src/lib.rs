//! Turns a user's document into Markdown pages.
//!
//! The component is called with one document, reaches its bytes and nothing else, and hands over pages. The bytes are
//! hostile: sizes are bounded before memory is taken, nothing calls itself for what is nested, and what cannot be read
//! is a [`Failure`] and not a trap.

mod compound;
mod csv;
mod document;
mod docx;
mod eml;
mod epub;
mod failure;
#[cfg(target_family = "wasm")]
mod guest;
mod html;
mod json;
mod markdown;
mod odf;
mod opc;
mod pages;
mod pdf;
mod pptx;
mod rtf;
mod sheet;
mod sniff;
#[cfg(test)]
mod testing;
mod text;
mod unpack;
mod writer;
mod xlsx;
mod xml;

use document::Document;
pub use document::Source;
use failure::Stop;
pub use failure::{Failure, Reason};
use pages::Pages;
pub use pages::{Page, Sink, Summary};
use sniff::{Format, sniff};

/// Hands over the pages of a document, and says what it is. `extension` is the end of its name, in small letters.
pub fn extract(source: &dyn Source, extension: &str, sink: &mut dyn Sink) -> Result<Summary, Failure> {
    let mut document = Document::new(source);
    let format = match sniff(&mut document, extension) {
        Ok(format) => format,
        Err(Stop::Failed(failure)) => return Err(failure),
        Err(Stop::Enough) => return Err(Failure::damaged("The file cannot be read.")),
    };
    let mut pages = Pages::new(format.name(), sink);
    let result = read(format, &mut document, &mut pages);
    pages.finish(result)
}

fn read(format: Format, document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    match format {
        Format::Pdf => pdf::extract(document, pages),
        Format::Docx => docx::extract(document, pages),
        Format::Xlsx => xlsx::extract(document, pages),
        Format::Pptx => pptx::extract(document, pages),
        Format::Odt | Format::Odp => odf::extract(document, pages),
        Format::Ods => odf::extract_sheets(document, pages),
        Format::Epub => epub::extract(document, pages),
        Format::Compound(kind) => compound::extract(document, pages, kind),
        Format::Rtf => rtf::extract(document, pages),
        Format::Html => html::extract(document, pages),
        Format::Eml => eml::extract(document, pages),
        Format::Csv => csv::extract(document, pages, None),
        Format::Tsv => csv::extract(document, pages, Some(b'\t')),
        Format::Json => json::extract(document, pages),
        Format::Markdown => markdown::extract(document, pages),
        Format::Text => text::extract(document, pages),
    }
}
