//! PDF: pages in the order in which people read them, with headings and tables.
//!
//! The library `unpdf` reads the file twice. Its reader of objects opens the file and its encryption; from those objects
//! a small PDF is written for some pages at a time, which holds what is needed for their text and is within the bounds
//! of this folder; and its layout reads that. So a page that takes another million operators, an outline that turns in
//! circles or a font that unpacks to gigabytes never reaches the layout, and nothing of scripts, forms, files and links
//! does.

mod appearance;
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
mod reach;
mod text;
mod tree;
mod turn;
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
use filter::Budget;
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
    let budget = Budget::for_document(document.size());
    let lost = raw.skipped_object_count() > 0;
    let mut reading =
        Reading { raw: &raw, budget, pages, holds_text: false, holds_picture: false, lost, is_tex: false };
    let mut rest = tree.as_slice();
    while !rest.is_empty() {
        let (part, taken) = reading.fill(rest)?;
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

/// Pages on their way from the file to the host.
#[expect(clippy::struct_excessive_bools, reason = "each says something else of the document")]
struct Reading<'a, 'p> {
    raw: &'a RawDocument,
    budget: Budget,
    pages: &'a mut Pages<'p>,
    holds_text: bool,
    holds_picture: bool,
    /// Whether anything could not be read.
    lost: bool,
    /// Whether letters may have their accents before them.
    is_tex: bool,
}

impl<'a> Reading<'a, '_> {
    /// A small PDF of the first pages, and how many they are: at least one.
    fn fill(&mut self, tree: &[PageNode<'a>]) -> Result<(Part<'a>, usize), Stop> {
        let mut part = Part::new(self.raw);
        let mut taken = 0;
        for page in tree.iter().take(PAGES_AT_ONCE) {
            if part.len() >= PART {
                break;
            }
            left_out::of_page(self.raw, page, self.pages);
            if !part.add(page, 0, &mut self.budget)? {
                self.lose();
            }
            taken += 1;
        }
        Ok((part, taken))
    }

    /// Hands over the pages of a part.
    fn read(&mut self, part: Part<'a>, nodes: &[PageNode<'a>]) -> Result<(), Stop> {
        let mut nodes = nodes.iter();
        self.is_tex |= part.is_tex;
        let mut end = Ok(());
        laid_out(part, |page| {
            // The library gives as many pages as it was given.
            let Some(node) = nodes.next() else { return ControlFlow::Break(()) };
            let given = match page {
                Some(page) => self.page(page, node),
                None => self.lost_page(),
            };
            match given {
                Ok(()) => ControlFlow::Continue(()),
                Err(stop) => {
                    end = Err(stop);
                    ControlFlow::Break(())
                }
            }
        });
        end?;
        for _ in nodes {
            self.lost_page()?;
        }
        Ok(())
    }

    fn page(&mut self, page: unpdf::Page, node: &PageNode<'a>) -> Result<(), Stop> {
        let page = self.upright(page, node)?;
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
        let text = text::markdown(page, self.is_tex);
        if text.is_empty() && shows_picture {
            self.holds_picture = true;
            return self.pages.add_picture(None);
        }
        self.holds_text |= !text.is_empty();
        self.pages.add(text, None)
    }

    /// The page, or if most of its text runs in another direction than from left to right, the page turned.
    fn upright(&mut self, page: unpdf::Page, node: &PageNode<'a>) -> Result<unpdf::Page, Stop> {
        let mut best = page;
        for quarters in 1..=3 {
            if best.rotated_text_runs <= best.text_op_count / 2 {
                break;
            }
            let mut part = Part::new(self.raw);
            part.add(node, quarters, &mut self.budget)?;
            laid_out(part, |turned| {
                if let Some(turned) = turned.filter(|turned| turned.rotated_text_runs < best.rotated_text_runs) {
                    best = turned;
                }
                ControlFlow::Break(())
            });
        }
        Ok(best)
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

/// Gives the pages of a part to `take`, in order; nothing for a page that the library cannot read.
fn laid_out(part: Part<'_>, mut take: impl FnMut(Option<unpdf::Page>) -> ControlFlow<()>) {
    let options = ParseOptions::default().sequential().with_resources(false);
    let stream = PageStreamOptions::from(&options);
    let Ok(parser) = PdfParser::from_bytes_with_options(&part.finish(), options) else { return };
    // It fails where the pages that are wanted are not there, and all of them are wanted.
    let _ = parser.for_each_page(stream, |event| match event {
        ParseEvent::PageParsed(page) => take(Some(page)),
        ParseEvent::PageFailed { .. } => take(None),
        _ => ControlFlow::Continue(()),
    });
}
