//! Sheets of Excel 97 to 2003.

use std::collections::HashMap;
use std::io::Read;

use super::DAMAGED;
use super::records::{Record, Records, Shared};
use crate::failure::{Failure, Stop};
use crate::pages::Pages;
use crate::sheet::{Row, Sheet};
use crate::xlsx::{Format, Texts};

/// Most bytes of a workbook. All rows and columns of one sheet have about 230 million.
const MAX_WORKBOOK: u64 = 64 * 1024 * 1024;
/// How often the workbook's bytes are read. A sheet may say that it is where another one is.
const MAX_READ: usize = 4;
/// Most sheets, and most formats of numbers.
const MAX_ENTRIES: usize = 10_000;
/// Most bytes of a row's texts.
const MAX_ROW: usize = 16 * 1024 * 1024;

/// Of version 8, which is Excel 97.
const VERSION: u16 = 0x0600;

const BEGIN: u16 = 0x0809;
const END: u16 = 0x000a;
const PASSWORD: u16 = 0x002f;
const DATES: u16 = 0x0022;
const SHEET: u16 = 0x0085;
const FORMAT: u16 = 0x041e;
const CELL_FORMAT: u16 = 0x00e0;
const TEXTS: u16 = 0x00fc;
const NUMBER: u16 = 0x0203;
const SHORT_NUMBER: u16 = 0x027e;
const SHORT_NUMBERS: u16 = 0x00bd;
const SHARED_TEXT: u16 = 0x00fd;
const LABEL: u16 = 0x0204;
const SWITCH: u16 = 0x0205;
const FORMULA: u16 = 0x0006;
const RESULT: u16 = 0x0207;

/// Hands over each sheet that is shown.
pub(super) fn extract(stream: impl Read, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut bytes = Vec::new();
    stream.take(MAX_WORKBOOK + 1).read_to_end(&mut bytes).map_err(|_| DAMAGED)?;
    if bytes.len() as u64 > MAX_WORKBOOK {
        return Err(Failure::too_large("The workbook is larger than a workbook may be.").into());
    }
    let workbook = Workbook::read(&bytes)?;
    if workbook.has_hidden {
        pages.omit("Hidden sheets are left out.");
    }
    let mut left = bytes.len().saturating_mul(MAX_READ);
    for (name, from) in &workbook.sheets {
        let mut rows = Rows { sheet: Sheet::new(pages, Some(name.clone())), row: Row::new(), number: 0, size: 0 };
        let mut depth = 0_usize;
        let mut formula = None;
        for record in Records::new(&bytes, *from) {
            left = left.checked_sub(record.data.len() + 4).ok_or(DAMAGED)?;
            match record.kind {
                // A chart inside of the sheet begins and ends too.
                BEGIN => depth += 1,
                END if depth <= 1 => break,
                END => depth -= 1,
                _ if depth == 1 => workbook.read_cell(&record, &mut formula, &mut rows)?,
                _ => {}
            }
        }
        rows.end_row()?;
        rows.sheet.finish()?;
    }
    Ok(())
}

/// What is said of a workbook before its sheets.
#[derive(Default)]
struct Workbook {
    /// Names of the sheets that are shown, and where they begin.
    sheets: Vec<(String, usize)>,
    has_hidden: bool,
    from_1904: bool,
    texts: Texts,
    /// By the numbers of the cells' formats.
    formats: Vec<Format>,
}

impl Workbook {
    fn read(bytes: &[u8]) -> Result<Self, Failure> {
        let mut workbook = Self::default();
        let mut codes = HashMap::new();
        let mut records = Records::new(bytes, 0);
        let first = records.next().filter(|record| record.kind == BEGIN).ok_or(DAMAGED)?;
        if first.short(0) != VERSION {
            return Err(Failure::unknown_format("Files of Excel before 1997 cannot be read."));
        }
        while let Some(record) = records.next() {
            match record.kind {
                PASSWORD => return Err(Failure::encrypted("The file needs a password.")),
                DATES => workbook.from_1904 = record.short(0) == 1,
                // Sheets of charts and of macros hold no cells.
                SHEET if record.short(4) >> 8 != 0 => {}
                SHEET if record.short(4) & 3 != 0 => workbook.has_hidden = true,
                SHEET if workbook.sheets.len() < MAX_ENTRIES => {
                    workbook.sheets.push((record.text(6, 1), record.long(0) as usize));
                }
                FORMAT if codes.len() < MAX_ENTRIES => {
                    codes.insert(usize::from(record.short(0)), Format::of_code(&record.text(2, 2)));
                }
                CELL_FORMAT if workbook.formats.len() < MAX_ENTRIES => {
                    let id = usize::from(record.short(2));
                    workbook.formats.push(codes.get(&id).copied().unwrap_or_else(|| Format::of_id(id)));
                }
                TEXTS => {
                    let mut shared = Shared::new(record, &records);
                    shared.try_for_each(|text| workbook.texts.push(&text))?;
                }
                END => break,
                _ => {}
            }
        }
        Ok(workbook)
    }

    /// Reads a cell. `formula` is the place of a formula whose text is in the next record.
    fn read_cell(
        &self,
        record: &Record<'_>,
        formula: &mut Option<(u16, u16)>,
        rows: &mut Rows<'_, '_>,
    ) -> Result<(), Stop> {
        let (row, column) = (record.short(0), record.short(2));
        let number = |value: f64, format: u16| self.shown(value, format);
        match record.kind {
            NUMBER => rows.add(row, column, number(record.double(6), record.short(4))),
            SHORT_NUMBER => rows.add(row, column, number(short_number(record.long(6)), record.short(4))),
            SHORT_NUMBERS => {
                let count = u16::try_from(record.data.len().saturating_sub(6) / 6).unwrap_or(0);
                (0..count).try_for_each(|index| {
                    let at = 4 + 6 * usize::from(index);
                    let value = number(short_number(record.long(at + 2)), record.short(at));
                    rows.add(row, column.saturating_add(index), value)
                })
            }
            SHARED_TEXT => rows.add(row, column, self.texts.get(record.long(6) as usize).unwrap_or_default().into()),
            LABEL => rows.add(row, column, record.text(6, 2)),
            SWITCH if record.short(6) >> 8 == 0 => rows.add(row, column, switch(record.short(6))),
            FORMULA if record.short(12) != 0xffff => rows.add(row, column, number(record.double(6), record.short(4))),
            FORMULA => match record.short(6) & 0xff {
                0 => {
                    *formula = Some((row, column));
                    Ok(())
                }
                1 => rows.add(row, column, switch(record.short(8))),
                _ => Ok(()),
            },
            RESULT => match formula.take() {
                Some((row, column)) => rows.add(row, column, record.text(0, 2)),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn shown(&self, value: f64, format: u16) -> String {
        if !value.is_finite() {
            return String::new();
        }
        self.formats.get(usize::from(format)).copied().unwrap_or_default().shown(value, self.from_1904)
    }
}

fn switch(value: u16) -> String {
    if value.to_le_bytes()[0] == 0 { "FALSE".into() } else { "TRUE".into() }
}

/// A number of 30 bits: the upper ones of a long one, or a whole one. It may stand for its hundredth.
fn short_number(bits: u32) -> f64 {
    let value =
        if bits & 2 == 0 { f64::from_bits(u64::from(bits & !3) << 32) } else { f64::from(bits.cast_signed() >> 2) };
    if bits & 1 == 0 { value } else { value / 100.0 }
}

/// The rows of a sheet, one after the other.
struct Rows<'p, 's> {
    sheet: Sheet<'p, 's>,
    row: Row,
    number: u16,
    /// Bytes of the row's texts.
    size: usize,
}

impl Rows<'_, '_> {
    fn add(&mut self, row: u16, column: u16, text: String) -> Result<(), Stop> {
        if row != self.number {
            self.end_row()?;
            self.number = row;
        }
        self.size += text.len();
        if self.size > MAX_ROW {
            return Err(Failure::too_large("A row of the workbook is larger than rows may be.").into());
        }
        if !text.is_empty() {
            self.row.push((u32::from(column), text));
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), Stop> {
        let mut row = std::mem::take(&mut self.row);
        row.sort_by_key(|(column, _)| *column);
        row.dedup_by_key(|(column, _)| *column);
        self.size = 0;
        self.sheet.add(row)
    }
}
