//! Texts of Word and slides of `PowerPoint` before 2007, through undoc.

use undoc::render::{RenderOptions, to_markdown};
use undoc::{Block, Document, Error, Paragraph, Section, Table};

use super::DAMAGED;
use crate::failure::{Failure, Stop};
use crate::markdown;
use crate::pages::Pages;
use crate::writer::{Writer, is_address};

/// Most bytes that can end a paragraph or a cell. The library takes about 600 bytes of memory for each.
const MAX_ENDS: usize = 300_000;

/// Hands over a text or slides.
pub(super) fn extract(bytes: &[u8], pages: &mut Pages<'_>) -> Result<(), Stop> {
    // A text has these bytes at the ends of its paragraphs and cells; pictures have some of them by chance.
    if bytes.iter().filter(|byte| matches!(byte, 7 | 13)).count() > MAX_ENDS {
        return Err(Failure::too_large("The file is larger than a file of its format may be.").into());
    }
    let document = undoc::parse_bytes(bytes).map_err(|error| failure_of(&error))?;
    document.metadata.title.iter().for_each(|title| pages.set_title(title));
    document.metadata.author.iter().for_each(|author| pages.set_author(author));
    if !document.resources.is_empty() {
        pages.omit_pictures();
    }
    let mut writer = Writer::new(pages);
    let is_text = document.sections.len() == 1;
    for section in document.sections {
        writer.set_name(section.name.clone().filter(|_| !is_text));
        let notes = section.notes.clone().unwrap_or_default();
        let mut blocks = section.content.into_iter().peekable();
        while blocks.peek().is_some() {
            let mut page = Vec::new();
            let mut ends = false;
            while !ends && let Some(block) = blocks.next() {
                ends = ends_page(&block);
                page.push(block);
            }
            write(page, &mut writer)?;
            if ends && blocks.peek().is_some() {
                writer.page_break()?;
            }
        }
        if !notes.is_empty() {
            writer.block("Notes:", false)?;
            write(notes.into_iter().map(Block::Paragraph).collect(), &mut writer)?;
        }
        if !is_text {
            writer.page_break()?;
        }
    }
    writer.end_part()
}

fn ends_page(block: &Block) -> bool {
    match block {
        Block::PageBreak => true,
        Block::Paragraph(Paragraph { runs, .. }) => runs.iter().any(|run| run.page_break),
        _ => false,
    }
}

fn write(mut content: Vec<Block>, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    for block in &mut content {
        match block {
            Block::Paragraph(paragraph) => bound_marks(paragraph),
            Block::Table(table) => bound_table(table),
            _ => {}
        }
    }
    let section = Section { content, ..Section::default() };
    let document = Document { sections: vec![section], ..Document::default() };
    let options = RenderOptions::new().with_images(false).with_max_heading(6);
    let text = to_markdown(&document, &options).map_err(|error| failure_of(&error))?;
    markdown::write(&text, writer)
}

/// Takes away links to anything but pages and mail, and lines below a text.
fn bound_marks(paragraph: &mut Paragraph) {
    for run in &mut paragraph.runs {
        run.hyperlink = run.hyperlink.take().filter(|address| is_address(address));
        run.style.underline = false;
    }
}

fn bound_table(table: &mut Table) {
    for cell in table.rows.iter_mut().flat_map(|row| &mut row.cells) {
        cell.content.iter_mut().for_each(bound_marks);
        // The reader of old files makes none.
        cell.nested_tables.clear();
    }
}

fn failure_of(error: &Error) -> Failure {
    match error {
        Error::Encrypted => Failure::encrypted("The file needs a password."),
        Error::UnknownFormat | Error::UnsupportedFormat(_) => {
            Failure::unknown_format("The file is of a format that cannot be read.")
        }
        _ => DAMAGED,
    }
}
