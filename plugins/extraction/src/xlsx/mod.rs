//! Excel files since 2007, as a stream: a row is written when it ends.
//!
//! calamine and undoc take memory for what a file claims, such as its number of texts or its last row; a file of one
//! kilobyte can end the component with that. Here a cell costs what it holds.

mod format;
mod parts;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::opc;
use crate::pages::Pages;
use crate::sheet::{Row, Sheet};
use crate::unpack::Archive;
use crate::xml::{self, Element, Node};
pub(crate) use format::Format;
pub(crate) use parts::Texts;
use parts::{Formats, Workbook};

/// Most cells of a row, and the last column.
const COLUMNS: u32 = 16_384;
/// Most bytes of a cell's text. Excel has 32,767 characters.
const MAX_CELL: usize = 200_000;
/// Most bytes of a row's texts. A text of many cells is in the file once.
const MAX_ROW: usize = 16 * 1024 * 1024;

const DAMAGED: Failure = Failure::damaged("The file is damaged: the workbook in it is missing.");

/// Hands over each sheet that is shown.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut archive = Archive::open(document)?;
    opc::describe(&mut archive, pages)?;
    let main = opc::main_part(&mut archive, "xl/workbook.xml")?;
    let relationships = opc::relationships(&mut archive, &main)?;
    let part = |kind, usual: &str| opc::part_of_kind(&relationships, kind).unwrap_or_else(|| usual.into());
    let workbook = Workbook::read(&mut archive, &main, &relationships)?.ok_or(DAMAGED)?;
    if workbook.has_hidden {
        pages.omit("Hidden sheets are left out.");
    }
    let texts = Texts::read(&mut archive, &part("sharedStrings", "xl/sharedStrings.xml"))?;
    let formats = Formats::read(&mut archive, &part("styles", "xl/styles.xml"), workbook.from_1904)?;
    for (name, part) in workbook.sheets {
        let Some(mut xml) = xml::entry(&mut archive, &part)? else { continue };
        let mut reader = SheetReader::new(Sheet::new(pages, Some(name)), &texts, &formats);
        loop {
            match xml.next()? {
                Node::Open(element) => {
                    if reader.open(&element) {
                        xml.skip()?;
                    }
                }
                Node::Close(name) => reader.close(&name)?,
                Node::Text(text) => reader.text(&text),
                Node::Other => {}
                Node::End => break,
            }
        }
        reader.sheet.finish()?;
    }
    Ok(())
}

/// The cell that is open.
#[derive(Default)]
struct Cell {
    column: u32,
    kind: String,
    format: usize,
    value: String,
}

struct SheetReader<'r, 'p, 's> {
    sheet: Sheet<'p, 's>,
    texts: &'r Texts,
    formats: &'r Formats,
    row: Row,
    /// Bytes of the row's texts.
    size: usize,
    /// The column after the last cell.
    next: u32,
    cell: Cell,
    in_value: bool,
}

impl<'r, 'p, 's> SheetReader<'r, 'p, 's> {
    fn new(sheet: Sheet<'p, 's>, texts: &'r Texts, formats: &'r Formats) -> Self {
        let row = Row::new();
        Self { sheet, texts, formats, row, size: 0, next: 0, cell: Cell::default(), in_value: false }
    }

    /// True says that the element is left out.
    fn open(&mut self, element: &Element<'_>) -> bool {
        match element.name() {
            // Formulas, and how Asian names are spoken.
            "f" | "rPh" | "headerFooter" | "dataValidations" | "conditionalFormatting" | "extLst" => return true,
            "c" => {
                let column = element.attribute("r").and_then(|place| column_of(&place)).unwrap_or(self.next);
                self.next = column.saturating_add(1);
                self.cell = Cell {
                    column,
                    kind: element.attribute("t").unwrap_or_default(),
                    format: element.number("s").unwrap_or(0),
                    value: String::new(),
                };
            }
            "v" | "t" => self.in_value = true,
            _ => {}
        }
        false
    }

    fn text(&mut self, text: &str) {
        if self.in_value && self.cell.value.len() + text.len() <= MAX_CELL {
            self.cell.value.push_str(text);
        }
    }

    fn close(&mut self, name: &str) -> Result<(), Stop> {
        match name {
            "v" | "t" => self.in_value = false,
            "c" => {
                let cell = std::mem::take(&mut self.cell);
                let text = self.shown(&cell);
                self.size += text.len();
                if self.size > MAX_ROW {
                    return Err(Failure::too_large("A row of the workbook is larger than rows may be.").into());
                }
                if !text.is_empty() && cell.column < COLUMNS {
                    self.row.push((cell.column, text));
                }
            }
            "row" => {
                let mut row = std::mem::take(&mut self.row);
                row.sort_by_key(|(column, _)| *column);
                row.dedup_by_key(|(column, _)| *column);
                (self.size, self.next) = (0, 0);
                self.sheet.add(row)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What a cell shows.
    fn shown(&self, cell: &Cell) -> String {
        match cell.kind.as_str() {
            "s" => cell.value.trim().parse().ok().and_then(|index| self.texts.get(index)).unwrap_or_default().into(),
            "b" => if cell.value.trim() == "1" { "TRUE" } else { "FALSE" }.into(),
            "" | "n" => self.formats.shown(&cell.value, cell.format),
            _ => cell.value.clone(),
        }
    }
}

/// The column of a place such as `AB12`, from 0 on.
fn column_of(place: &str) -> Option<u32> {
    let mut letters = place.bytes().take_while(u8::is_ascii_alphabetic);
    let number = letters.try_fold(0_u32, |number, letter| {
        number.checked_mul(26)?.checked_add(u32::from(letter.to_ascii_uppercase() - b'A') + 1)
    });
    number?.checked_sub(1)
}

#[cfg(test)]
mod tests;
