//! PDF: pages in the order in which people read them, with headings and tables.
//!
//! The library `unpdf` reads the file twice. Its reader of objects opens the file and its encryption; from those objects
//! a small PDF is written for some pages at a time, which holds what is needed for their text and is within the bounds
//! of this folder; and its layout reads that. So a page that takes another million operators, an outline that turns in
//! circles or a font that unpacks to gigabytes never reaches the layout, and nothing of scripts, forms, files and links
//! does.

mod bound;
mod cmap;
mod content;
mod filter;
mod font;
mod form;
mod left_out;
mod metadata;
mod part;
mod plain;
mod text;
mod tree;
mod value;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use unpdf::parser::raw::RawDocument;
use unpdf::{ErrorKind, PageStreamOptions, ParseEvent, ParseOptions, PdfParser};

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::{MAX_PAGES, Pages};
use part::Part;
use tree::PageNode;

/// Most bytes of a file. The library keeps each byte of it once, beside the file itself while it is opened.
const MAX_FILE: u64 = 100 * 1024 * 1024;
/// Bytes at the beginning of a file in which the header is looked for.
const HEADER_WITHIN: usize = 8 * 1024;
/// Most pages that are read at once. Each time the library looks twice at the first five of them.
const PAGES_AT_ONCE: usize = 64;
/// Bytes of a part after which no more pages are added to it.
const PART: usize = 8 * 1024 * 1024;

const DAMAGED: Failure = Failure::damaged("The PDF file is damaged: its pages cannot be found.");
const ENCRYPTED: Failure = Failure::encrypted("The PDF file needs a password.");

/// Hands over the pages of a PDF.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let raw = open(document)?;
    metadata::read(&raw, pages);
    let tree = tree::pages(&raw);
    if tree.is_empty() {
        return Err(DAMAGED.into());
    }
    if tree.len() > MAX_PAGES as usize {
        return Err(Failure::too_large("The PDF file has more pages than a document may have.").into());
    }
    left_out::of_document(&raw, pages);
    pages.expect(tree.len());
    let mut reading = Reading { pages, holds_text: false, holds_picture: false, lost: raw.skipped_object_count() > 0 };
    let mut rest = tree.as_slice();
    let mut budget = filter::Budget::for_document(document.size());
    while !rest.is_empty() {
        let (part, taken) = fill(&raw, rest, &mut budget, &mut reading)?;
        reading.read(part, &rest[..taken])?;
        rest = &rest[taken..];
    }
    // A file that lost its content is not one that never had any.
    if !reading.holds_text && reading.lost && !reading.holds_picture {
        return Err(Failure::damaged("The PDF file is damaged: none of its text can be read.").into());
    }
    Ok(())
}

/// Opens the file, with an empty password if it is encrypted.
fn open(document: &mut Document<'_>) -> Result<RawDocument, Failure> {
    let bytes = document.read_all(MAX_FILE)?;
    // Places in a file are counted from its header, by the programs that write something before it.
    let head = &bytes[..bytes.len().min(HEADER_WITHIN)];
    let start = head.windows(5).position(|window| window == b"%PDF-").ok_or(DAMAGED)?;
    let bytes = &bytes[start..];
    bound::check(bytes)?;
    RawDocument::load(bytes).map_err(|error| match error.kind() {
        ErrorKind::Encrypted | ErrorKind::InvalidPassword => ENCRYPTED,
        ErrorKind::UnsupportedVersion => {
            Failure::encrypted("The PDF file is encrypted in a way that cannot be read here.")
        }
        _ => DAMAGED,
    })
}

/// A small PDF of the first pages, and how many they are: at least one.
fn fill<'a>(
    raw: &'a RawDocument,
    tree: &[PageNode<'a>],
    budget: &mut filter::Budget,
    reading: &mut Reading<'_, '_>,
) -> Result<(Part<'a>, usize), Stop> {
    let mut part = Part::new(raw);
    let mut taken = 0;
    for page in tree.iter().take(PAGES_AT_ONCE) {
        if part.len() >= PART {
            break;
        }
        left_out::of_page(raw, page, reading.pages);
        let is_whole = part.add(page, budget)?;
        if !is_whole {
            reading.lose();
        }
        taken += 1;
    }
    Ok((part, taken))
}

/// Pages on their way from the library to the host.
struct Reading<'a, 'p> {
    pages: &'a mut Pages<'p>,
    holds_text: bool,
    holds_picture: bool,
    /// Whether anything could not be read.
    lost: bool,
}

impl Reading<'_, '_> {
    /// Hands over the pages of a part.
    fn read(&mut self, part: Part<'_>, nodes: &[PageNode<'_>]) -> Result<(), Stop> {
        let options = ParseOptions::default().sequential().with_resources(false);
        let stream = PageStreamOptions::from(&options);
        let mut end = Ok(());
        let mut done = 0;
        if let Ok(parser) = PdfParser::from_bytes_with_options(&part.finish(), options) {
            let result = parser.for_each_page(stream, |event| {
                let given = match event {
                    ParseEvent::PageParsed(page) => self.page(page),
                    ParseEvent::PageFailed { .. } => self.lost_page(),
                    _ => return ControlFlow::Continue(()),
                };
                done += 1;
                match given {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(stop) => {
                        end = Err(stop);
                        ControlFlow::Break(())
                    }
                }
            });
            self.lost |= result.is_err();
        }
        end?;
        for _ in done..nodes.len() {
            self.lost_page()?;
        }
        Ok(())
    }

    fn page(&mut self, page: unpdf::Page) -> Result<(), Stop> {
        if page.suppressed_text_runs > 0 || page.undecoded_text_codes > 0 {
            self.lost = true;
            self.pages.omit("Text in fonts that do not say which characters they hold was left out.");
        }
        if page.ocr_text_suppressed {
            self.pages.omit("Text that was recognized in a scan and is not readable was left out.");
        }
        if page.undecodable_content_streams > 0 {
            self.lose();
        }
        let shows_picture = text::is_picture(&page);
        let text = text::markdown(page);
        if text.is_empty() && shows_picture {
            self.holds_picture = true;
            return self.pages.add_picture(None);
        }
        self.holds_text |= !text.is_empty();
        self.pages.add(text, None)
    }

    fn lost_page(&mut self) -> Result<(), Stop> {
        self.lose();
        self.pages.add(String::new(), None)
    }

    fn lose(&mut self) {
        self.lost = true;
        self.pages.omit("Parts of pages that are damaged or too large were left out.");
    }
}
