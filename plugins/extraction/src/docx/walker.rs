//! Walks through the elements of a Word document.

use std::collections::HashMap;

use super::numbering::{Label, Numbering};
use super::styles::{Styles, is_on};
use crate::failure::Stop;
use crate::opc::Relationship;
use crate::writer::{Block, Line, Style, Writer};
use crate::xml::Element;

/// Most bytes of a field's instruction.
const MAX_INSTRUCTION: usize = 4000;
/// Most fields inside of each other.
const MAX_FIELDS: usize = 1000;

/// Where reading goes on after an element's begin.
pub(super) enum Next {
    Inside,
    /// After its end.
    After,
}

/// What a paragraph says of itself before its text.
#[derive(Debug, Default)]
struct Paragraph {
    style: Option<String>,
    outline: Option<usize>,
    list: Option<String>,
    level: Option<usize>,
    /// Whether it ends its section.
    ends_section: bool,
}

/// A field such as a link or a page number.
#[derive(Debug, Default)]
struct Field {
    instruction: String,
    is_link: bool,
}

/// What is known of a document before its text is read.
pub(super) struct About {
    pub(super) relationships: HashMap<String, Relationship>,
    pub(super) styles: Styles,
    pub(super) numbering: Numbering,
    /// Texts by ids.
    pub(super) footnotes: HashMap<String, String>,
    pub(super) endnotes: HashMap<String, String>,
    /// For each section but the first, whether it begins on a page of its own; the last one first.
    pub(super) sections: Vec<bool>,
}

#[expect(clippy::struct_excessive_bools, reason = "each says where in the document the walker is")]
pub(super) struct Walker<'p, 's> {
    writer: Writer<'p, 's>,
    about: About,
    paragraph: Paragraph,
    /// Paragraphs around a text box with what they hold so far.
    outer: Vec<(Paragraph, Line)>,
    in_properties: bool,
    in_run: bool,
    in_text: bool,
    in_instruction: bool,
    style: Style,
    is_hidden: bool,
    fields: Vec<Field>,
    /// Formulas that are open.
    in_math: usize,
    /// Whether the page ended by what the author wrote, and nothing came since.
    just_ended: bool,
    /// Footnotes and endnotes so far.
    notes: [u32; 2],
}

impl<'p, 's> Walker<'p, 's> {
    pub(super) fn new(writer: Writer<'p, 's>, about: About) -> Self {
        Self {
            writer,
            about,
            paragraph: Paragraph::default(),
            outer: Vec::new(),
            in_properties: false,
            in_run: false,
            in_text: false,
            in_instruction: false,
            style: Style::default(),
            is_hidden: false,
            fields: Vec::new(),
            in_math: 0,
            just_ended: false,
            notes: [0; 2],
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Stop> {
        self.writer.end_part()
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.in_text && !self.is_hidden {
            self.just_ended = false;
            self.writer.text(text, self.style);
        } else if self.in_instruction
            && let Some(field) = self.fields.last_mut()
            && field.instruction.len() + text.len() <= MAX_INSTRUCTION
        {
            field.instruction.push_str(text);
        }
    }

    pub(super) fn open(&mut self, element: &Element<'_>) -> Result<Next, Stop> {
        match element.name() {
            // What was there before a tracked change, and the second form of what an older Word cannot show.
            name if name.ends_with("Change") => return Ok(Next::After),
            "del" | "moveFrom" if !self.in_properties => return Ok(Next::After),
            "Fallback" | "tabs" => return Ok(Next::After),
            "p" => self.open_paragraph(),
            "pPr" => self.in_properties = true,
            "r" => {
                self.in_run = true;
                self.style = Style::default();
                self.is_hidden = false;
            }
            "t" => self.in_text = true,
            "instrText" => self.in_instruction = true,
            "fldChar" => self.field(element),
            "fldSimple" => self.begin_field(),
            "hyperlink" => {
                let target = element.prefixed("id").and_then(|id| self.about.relationships.get(&id));
                if let Some(target) = target.filter(|target| target.is_external) {
                    self.writer.begin_link(&target.target);
                }
            }
            "txbxContent" => {
                let line = self.writer.take_line();
                self.outer.push((std::mem::take(&mut self.paragraph), line));
                self.in_run = false;
            }
            "tbl" => self.writer.begin_table()?,
            "tr" => self.writer.begin_row()?,
            "tc" => self.writer.begin_cell()?,
            "gridSpan" => self.writer.span(element.number("val").unwrap_or(1), 1),
            "sectPr" => {
                self.paragraph.ends_section = self.in_properties;
                return Ok(Next::After);
            }
            "oMath" => self.in_math += 1,
            name if self.in_math > 0 => self.math(name, element),
            name if self.in_properties => self.property(name, element)?,
            name if self.in_run => self.in_run(name, element)?,
            _ => {}
        }
        Ok(Next::Inside)
    }

    fn open_paragraph(&mut self) {
        self.paragraph = Paragraph::default();
        self.in_run = false;
    }

    /// Formulas are written in a line, as they are typed.
    fn math(&mut self, name: &str, element: &Element<'_>) {
        let text = match name {
            "sup" => "^{",
            "sub" => "_{",
            "num" => "(",
            "den" => "/(",
            "rad" => "√{",
            "chr" => &element.attribute("val").unwrap_or_default(),
            _ => return,
        };
        self.writer.text(text, Style::default());
    }

    /// What stands before the text of a paragraph.
    fn property(&mut self, name: &str, element: &Element<'_>) -> Result<(), Stop> {
        let value = || element.attribute("val");
        match name {
            "pStyle" => {
                self.paragraph.style = value();
                let style = self.paragraph.style.as_deref().map(|id| self.about.styles.style(id));
                if style.and_then(|style| style.page_before) == Some(true) {
                    self.begin_page()?;
                }
            }
            "outlineLvl" => self.paragraph.outline = element.number("val"),
            "numId" => self.paragraph.list = value(),
            "ilvl" => self.paragraph.level = element.number("val"),
            "pageBreakBefore" if is_on(value().as_deref()) => self.begin_page()?,
            _ => {}
        }
        Ok(())
    }

    /// What stands in a run beside its text.
    fn in_run(&mut self, name: &str, element: &Element<'_>) -> Result<(), Stop> {
        let is_on = || is_on(element.attribute("val").as_deref());
        match name {
            "b" => self.style.bold = is_on(),
            "i" => self.style.italic = is_on(),
            "strike" | "dstrike" => self.style.strike = is_on(),
            "vanish" => self.is_hidden = is_on(),
            "tab" | "ptab" => self.writer.text("\t", self.style),
            "noBreakHyphen" => self.writer.text("-", self.style),
            "sym" => self.symbol(element),
            "br" if element.attribute("type").as_deref() == Some("page") => self.end_page(true)?,
            "lastRenderedPageBreak" => self.end_page(false)?,
            "br" | "cr" => self.writer.line_break(),
            "footnoteReference" => self.note(element, false),
            "endnoteReference" => self.note(element, true),
            "drawing" | "pict" | "object" => self.just_ended = false,
            "blip" | "imagedata" => self.writer.picture(),
            _ => {}
        }
        Ok(())
    }

    fn symbol(&mut self, element: &Element<'_>) {
        let code = element.attribute("char").and_then(|code| u32::from_str_radix(&code, 16).ok());
        // Symbol fonts have their characters where Unicode has none.
        let character = code.and_then(char::from_u32).filter(|c| !matches!(*c, '\u{e000}'..='\u{f8ff}'));
        if let Some(character) = character {
            self.writer.text(character.encode_utf8(&mut [0; 4]), self.style);
        }
    }

    fn note(&mut self, element: &Element<'_>, is_endnote: bool) {
        let Some(id) = element.attribute("id") else { return };
        let notes = if is_endnote { &mut self.about.endnotes } else { &mut self.about.footnotes };
        // Each note is shown once, where it is first referred to.
        if let Some(text) = notes.remove(&id).filter(|text| !text.is_empty()) {
            // They are numbered as they are shown. Their ids begin with those of the lines above them.
            let count = &mut self.notes[usize::from(is_endnote)];
            *count += 1;
            let label = if is_endnote { format!("e{count}") } else { count.to_string() };
            self.writer.note(&label, &text);
        }
    }

    /// Fields need not end.
    fn begin_field(&mut self) {
        if self.fields.len() < MAX_FIELDS {
            self.fields.push(Field::default());
        }
    }

    fn field(&mut self, element: &Element<'_>) {
        match element.attribute("fldCharType").as_deref() {
            Some("begin") => self.begin_field(),
            Some("separate") => {
                if let Some(field) = self.fields.last_mut()
                    && let Some(address) = address_of(&field.instruction)
                {
                    field.is_link = true;
                    self.writer.begin_link(&address);
                }
            }
            Some("end") => {
                let is_link = self.fields.pop().is_some_and(|field| field.is_link);
                if is_link {
                    self.writer.end_link();
                }
            }
            _ => {}
        }
    }

    pub(super) fn close(&mut self, name: &str) -> Result<(), Stop> {
        match name {
            "p" => self.end_paragraph()?,
            "pPr" => self.in_properties = false,
            "r" => self.in_run = false,
            "t" => self.in_text = false,
            "instrText" => self.in_instruction = false,
            "fldSimple" => drop(self.fields.pop()),
            "hyperlink" => self.writer.end_link(),
            "txbxContent" => {
                self.writer.end(Block::Paragraph)?;
                if let Some((paragraph, line)) = self.outer.pop() {
                    self.paragraph = paragraph;
                    self.writer.put_line(line);
                }
                self.in_run = true;
            }
            "tc" => self.writer.end_cell()?,
            "tr" => self.writer.end_row()?,
            "tbl" => self.writer.end_table()?,
            "oMath" => self.in_math = self.in_math.saturating_sub(1),
            "sup" | "sub" | "rad" if self.in_math > 0 => self.writer.text("}", Style::default()),
            "num" | "den" if self.in_math > 0 => self.writer.text(")", Style::default()),
            _ => {}
        }
        Ok(())
    }

    fn end_paragraph(&mut self) -> Result<(), Stop> {
        let ends_section = self.paragraph.ends_section;
        if self.writer.is_blank() {
            self.writer.end(Block::Paragraph)?;
        } else {
            self.write_paragraph()?;
        }
        self.paragraph = Paragraph::default();
        self.in_run = false;
        if ends_section && self.about.sections.pop() == Some(true) {
            self.end_page(true)?;
        }
        Ok(())
    }

    fn write_paragraph(&mut self) -> Result<(), Stop> {
        let paragraph = std::mem::take(&mut self.paragraph);
        let id = paragraph.style.as_deref().unwrap_or_default();
        let style = self.about.styles.style(id);
        let outline = paragraph.outline.or(style.outline).filter(|level| *level < 9).map(|level| level + 1);
        let heading = self.about.styles.heading(id).or(outline);
        let level = paragraph.level.or(style.list_level).unwrap_or(0);
        let list = paragraph.list.or(style.list);
        let label = list.and_then(|list| self.about.numbering.next(&list, level));
        match (heading, label) {
            (Some(heading), label) => {
                if let Some(Label::Number(number)) = label {
                    self.writer.prepend(&format!("{number} "));
                }
                self.writer.end(Block::Heading(heading))
            }
            (None, Some(Label::Number(number))) => self.writer.end(Block::Item { level, number: Some(&number) }),
            (None, Some(Label::Bullet)) => self.writer.end(Block::Item { level, number: None }),
            (None, None) if self.about.styles.is_code(id) => self.writer.end(Block::Code),
            (None, None) if self.about.styles.is_quote(id) => self.writer.end(Block::Quote),
            (None, None) => self.writer.end(Block::Paragraph),
        }
    }

    /// Begins a page if this one holds anything.
    fn begin_page(&mut self) -> Result<(), Stop> {
        if self.writer.is_page_blank() { Ok(()) } else { self.end_page(true) }
    }

    /// Ends the page: where the author wrote it, or where Word last laid it out. Word writes both for one page.
    fn end_page(&mut self, is_written: bool) -> Result<(), Stop> {
        if !is_written && self.just_ended {
            self.just_ended = false;
            return Ok(());
        }
        self.just_ended = is_written;
        if self.writer.in_table() {
            return self.writer.page_break();
        }
        // A page can end inside of a paragraph; what stands before it belongs to the page.
        if !self.writer.is_blank() {
            self.split_paragraph()?;
        }
        self.writer.page_break()
    }

    /// Writes the paragraph so far. The rest is a paragraph without a number of its own.
    fn split_paragraph(&mut self) -> Result<(), Stop> {
        let style = self.paragraph.style.clone();
        let ends_section = self.paragraph.ends_section;
        self.write_paragraph()?;
        self.paragraph =
            Paragraph { style: style.filter(|id| self.about.styles.is_code(id)), ends_section, ..Default::default() };
        Ok(())
    }
}

/// The address in a field's instruction such as `HYPERLINK "https://…"`.
fn address_of(instruction: &str) -> Option<String> {
    let rest = instruction.trim_start().strip_prefix("HYPERLINK")?.trim_start();
    if rest.starts_with('\\') {
        return None;
    }
    let address = rest.trim_start_matches('"').split(['"', ' ']).next()?;
    Some(address.into())
}
