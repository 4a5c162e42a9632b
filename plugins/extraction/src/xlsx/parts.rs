//! What a workbook has beside its sheets: their names, the texts of their cells, and how numbers are shown.

use std::collections::HashMap;

use super::format::Format;
use crate::failure::Failure;
use crate::opc::Relationship;
use crate::unpack::Archive;
use crate::xml::{self, Node};

/// Most sheets.
const MAX_SHEETS: usize = 10_000;
/// Most formats of cells. Excel has 65,490.
const MAX_FORMATS: usize = 100_000;
/// Most texts of cells.
const MAX_TEXTS: usize = 8_000_000;
/// Most bytes of all texts of cells.
const MAX_TEXT: usize = 64 * 1024 * 1024;

const TOO_LARGE: Failure = Failure::too_large("The workbook is larger than a workbook may be.");

/// The sheets of a workbook.
#[derive(Debug, Default)]
pub(super) struct Workbook {
    /// Names and parts of the sheets that are shown.
    pub(super) sheets: Vec<(String, String)>,
    pub(super) has_hidden: bool,
    /// Whether days are counted from 1904 on.
    pub(super) from_1904: bool,
}

impl Workbook {
    pub(super) fn read(
        archive: &mut Archive<'_>,
        part: &str,
        relationships: &HashMap<String, Relationship>,
    ) -> Result<Option<Self>, Failure> {
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(None) };
        let mut workbook = Self::default();
        loop {
            match xml.next()? {
                Node::Open(element) => match element.name() {
                    "workbookPr" => {
                        let from_1904 = element.attribute("date1904");
                        workbook.from_1904 = from_1904.is_some_and(|value| value == "1" || value == "true");
                    }
                    "sheet" => {
                        let target = element.prefixed("id").and_then(|id| relationships.get(&id));
                        // Sheets of charts and of dialogs hold no cells.
                        let Some(target) = target.filter(|target| target.kind == "worksheet") else { continue };
                        if element.attribute("state").is_some_and(|state| state != "visible") {
                            workbook.has_hidden = true;
                        } else if workbook.sheets.len() >= MAX_SHEETS {
                            return Err(TOO_LARGE);
                        } else {
                            let name = element.attribute("name").unwrap_or_default();
                            workbook.sheets.push((name, target.target.clone()));
                        }
                    }
                    _ => {}
                },
                Node::End => return Ok(Some(workbook)),
                _ => {}
            }
        }
    }
}

/// The texts that cells refer to by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    all: String,
    /// Where each text ends in `all`.
    ends: Vec<u32>,
}

impl Texts {
    pub(super) fn read(archive: &mut Archive<'_>, part: &str) -> Result<Self, Failure> {
        let mut texts = Self::default();
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(texts) };
        let mut in_text = false;
        loop {
            let mut skips = false;
            match xml.next()? {
                Node::Open(element) => match element.name() {
                    "t" => in_text = true,
                    "rPh" => skips = true,
                    _ => {}
                },
                Node::Close(name) => match &*name {
                    "t" => in_text = false,
                    "si" => texts.end()?,
                    _ => {}
                },
                Node::Text(text) if in_text => texts.add(&text)?,
                Node::End => return Ok(texts),
                _ => {}
            }
            if skips {
                xml.skip()?;
            }
        }
    }

    /// Adds a text.
    pub(crate) fn push(&mut self, text: &str) -> Result<(), Failure> {
        self.add(text)?;
        self.end()
    }

    fn add(&mut self, part: &str) -> Result<(), Failure> {
        if self.all.len() + part.len() > MAX_TEXT {
            return Err(TOO_LARGE);
        }
        self.all.push_str(part);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Failure> {
        if self.ends.len() >= MAX_TEXTS {
            return Err(TOO_LARGE);
        }
        self.ends.push(u32::try_from(self.all.len()).map_err(|_| TOO_LARGE)?);
        Ok(())
    }

    pub(crate) fn get(&self, index: usize) -> Option<&str> {
        let end = *self.ends.get(index)? as usize;
        let begin = index.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |begin| *begin as usize);
        self.all.get(begin..end)
    }
}

/// How numbers are shown, by the numbers of the cells' formats.
#[derive(Debug, Default)]
pub(super) struct Formats {
    cells: Vec<Format>,
    from_1904: bool,
}

impl Formats {
    pub(super) fn read(archive: &mut Archive<'_>, part: &str, from_1904: bool) -> Result<Self, Failure> {
        let mut formats = Self { cells: Vec::new(), from_1904 };
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(formats) };
        let mut codes: HashMap<usize, Format> = HashMap::new();
        let mut in_cells = false;
        loop {
            match xml.next()? {
                Node::Open(element) => match element.name() {
                    "numFmt" if codes.len() < MAX_FORMATS => {
                        let code = element.attribute("formatCode").unwrap_or_default();
                        codes.insert(element.number("numFmtId").unwrap_or(0), Format::of_code(&code));
                    }
                    "cellXfs" => in_cells = true,
                    "xf" if in_cells && formats.cells.len() < MAX_FORMATS => {
                        let id = element.number("numFmtId").unwrap_or(0);
                        formats.cells.push(codes.get(&id).copied().unwrap_or_else(|| Format::of_id(id)));
                    }
                    _ => {}
                },
                Node::Close(name) if name == "cellXfs" => in_cells = false,
                Node::End => return Ok(formats),
                _ => {}
            }
        }
    }

    /// What a number shows in a cell of this format.
    pub(super) fn shown(&self, value: &str, format: usize) -> String {
        let value = value.trim();
        match value.parse::<f64>() {
            Ok(number) if number.is_finite() => {
                self.cells.get(format).copied().unwrap_or_default().shown(number, self.from_1904)
            }
            _ => value.into(),
        }
    }
}
