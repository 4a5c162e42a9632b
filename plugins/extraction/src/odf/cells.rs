//! Reads the sheets of `LibreOffice`.

use super::styles::Styles;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;
use crate::sheet::{Row, Sheet};
use crate::xml::{Element, Node, Xml};

/// Most bytes of a cell's text.
const MAX_CELL: usize = 100_000;
/// Most times that a row or a cell with text is repeated. Empty ones cost nothing.
const MAX_REPEATED: usize = 1000;
/// Most cells of a row that hold something.
const MAX_COLUMNS: usize = 16_384;
/// Most bytes of a row's texts.
const MAX_ROW: usize = 16 * 1024 * 1024;

/// Hands over each sheet that is shown.
pub(super) fn write(xml: &mut Xml<'_>, styles: &Styles, pages: &mut Pages<'_>) -> Result<(), Stop> {
    loop {
        let name = match xml.next()? {
            Node::Open(element) => match element.name() {
                "table" => {
                    let style = element.attribute("style-name").unwrap_or_default();
                    let name = element.attribute("name").unwrap_or_default();
                    (!styles.is_hidden(&style)).then_some(name)
                }
                "tracked-changes" | "automatic-styles" | "font-face-decls" => None,
                _ => continue,
            },
            Node::End => return Ok(()),
            _ => continue,
        };
        match name {
            Some(name) => write_sheet(xml, name, pages)?,
            None => xml.skip()?,
        }
    }
}

#[derive(Default)]
struct Cell {
    repeated: usize,
    text: String,
    paragraphs: usize,
    /// Paragraphs that are open.
    depth: usize,
}

fn write_sheet(xml: &mut Xml<'_>, name: String, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut comments = false;
    let mut sheet = Sheet::new(pages, Some(name));
    let mut row = Row::new();
    let (mut rows, mut column, mut size, mut cell) = (1, 0_u32, 0, Cell::default());
    loop {
        let mut skips = false;
        match xml.next()? {
            Node::Open(element) => match element.name() {
                "table-row" => (rows, column, size) = (repeated(&element, "number-rows-repeated"), 0, 0),
                "table-cell" | "covered-table-cell" => {
                    cell = Cell { repeated: repeated(&element, "number-columns-repeated"), ..Cell::default() };
                }
                "p" | "h" => {
                    if cell.paragraphs > 0 {
                        cell.text.push('\n');
                    }
                    cell.paragraphs += 1;
                    cell.depth += 1;
                }
                "s" => cell.text.push(' '),
                "annotation" => (comments, skips) = (true, true),
                "shapes" => skips = true,
                _ => {}
            },
            Node::Text(text) if cell.depth > 0 && cell.text.len() + text.len() <= MAX_CELL => cell.text.push_str(&text),
            Node::Close(name) => match &*name {
                "p" | "h" => cell.depth = cell.depth.saturating_sub(1),
                "table-cell" | "covered-table-cell" => {
                    let cell = std::mem::take(&mut cell);
                    if !cell.text.trim().is_empty() && row.len() < MAX_COLUMNS {
                        size += cell.text.len() * cell.repeated.min(MAX_REPEATED);
                        if size > MAX_ROW {
                            return Err(Failure::too_large("A row of the file is larger than rows may be.").into());
                        }
                        let repeated = u32::try_from(cell.repeated.min(MAX_REPEATED)).unwrap_or(1);
                        row.extend((0..repeated).map(|offset| (column.saturating_add(offset), cell.text.clone())));
                    }
                    column = column.saturating_add(u32::try_from(cell.repeated).unwrap_or(u32::MAX));
                }
                "table-row" => {
                    let row = std::mem::take(&mut row);
                    if !row.is_empty() {
                        (0..rows.min(MAX_REPEATED)).try_for_each(|_| sheet.add(row.clone()))?;
                    }
                }
                "table" => break,
                _ => {}
            },
            Node::End => break,
            _ => {}
        }
        if skips {
            xml.skip()?;
        }
    }
    sheet.finish()?;
    if comments {
        pages.omit("Comments are left out.");
    }
    Ok(())
}

fn repeated(element: &Element<'_>, name: &str) -> usize {
    element.number(name).unwrap_or(1)
}
