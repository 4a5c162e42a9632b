//! Walks through the elements of a text or of slides of `LibreOffice`.

use std::collections::HashMap;

use super::formulas;
use super::styles::Styles;
use crate::failure::Stop;
use crate::writer::{Block, Line, Style, Writer};
use crate::xml::Element;

/// Most spaces that one element stands for.
const MAX_SPACES: usize = 100;
/// Most bytes of a slide's title.
const MAX_TITLE: usize = 1000;
/// Most bytes of a note.
const MAX_NOTE: usize = 100_000;

/// Where reading goes on after an element's begin.
pub(super) enum Next {
    Inside,
    /// After its end.
    After,
}

/// A list that is open.
#[derive(Debug, Default)]
struct List {
    style: String,
    /// The number of the last item.
    count: u32,
}

/// A note that is being read.
#[derive(Debug, Default)]
struct Note {
    label: String,
    text: String,
    in_body: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each says where in the document the walker is")]
pub(super) struct Walker<'p, 's> {
    writer: Writer<'p, 's>,
    styles: Styles,
    /// Their texts by the folders of their parts.
    formulas: HashMap<String, String>,
    /// Whether the text has begun.
    in_body: bool,
    /// Looks of the open paragraph and of the runs in it.
    looks: Vec<Style>,
    /// The style of the open paragraph.
    style: String,
    /// Paragraphs that are open inside of each other, with what the outer ones hold so far.
    outer: Vec<Line>,
    depth: usize,
    heading: Option<usize>,
    lists: Vec<List>,
    /// Whether the item has no paragraph yet.
    is_item: bool,
    note: Option<Note>,
    notes: u32,
    slides: u32,
    /// Whether slides' notes are open.
    in_slide_notes: bool,
    /// Whether the frame is a slide's title.
    in_title: bool,
    /// The title of the slide.
    title: String,
}

impl<'p, 's> Walker<'p, 's> {
    pub(super) fn new(writer: Writer<'p, 's>, styles: Styles, formulas: HashMap<String, String>) -> Self {
        Self {
            writer,
            styles,
            formulas,
            in_body: false,
            looks: Vec::new(),
            style: String::new(),
            outer: Vec::new(),
            depth: 0,
            heading: None,
            lists: Vec::new(),
            is_item: false,
            note: None,
            notes: 0,
            slides: 0,
            in_slide_notes: false,
            in_title: false,
            title: String::new(),
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Stop> {
        self.writer.end_part()
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.depth == 0 {
            return;
        }
        if let Some(note) = &mut self.note {
            let part = if note.in_body { &mut note.text } else { &mut note.label };
            if part.len() + text.len() <= MAX_NOTE {
                part.push_str(text);
            }
        } else {
            let look = self.looks.last().copied().unwrap_or_default();
            if self.in_title && self.title.len() < MAX_TITLE {
                self.title.push_str(text);
            }
            self.writer.text_collapsed(text, look);
        }
    }

    pub(super) fn open(&mut self, element: &Element<'_>) -> Result<Next, Stop> {
        let name = element.name();
        if !self.in_body {
            self.in_body = name == "body";
            return Ok(Next::Inside);
        }
        match name {
            "tracked-changes" | "forms" | "event-listeners" | "sequence-decls" | "variable-decls"
            | "user-field-decls" => {
                return Ok(Next::After);
            }
            "annotation" => {
                self.writer.pages.omit("Comments are left out.");
                return Ok(Next::After);
            }
            "note" => self.note = Some(Note::default()),
            "note-body" => {
                if let Some(note) = &mut self.note {
                    note.in_body = true;
                }
            }
            "note-citation" => self.depth += 1,
            "notes" => {
                self.writer.end(Block::Paragraph)?;
                self.in_slide_notes = true;
            }
            "p" | "h" => self.open_paragraph(element)?,
            "span" => {
                let around = self.looks.last().copied().unwrap_or_default();
                let style = element.attribute("style-name").unwrap_or_default();
                self.looks.push(self.styles.emphasis(&style, around));
            }
            "a" if self.note.is_none() => self.writer.begin_link(&element.attribute("href").unwrap_or_default()),
            "s" => self.spaces(element.number("c").unwrap_or(1)),
            "tab" => self.spaces(1),
            "line-break" if self.note.is_none() => self.writer.line_break(),
            "soft-page-break" => self.end_page()?,
            "list" => self.open_list(element),
            "list-item" | "list-header" => {
                if let Some(list) = self.lists.last_mut() {
                    let start = element.attribute("start-value").and_then(|start| start.parse().ok());
                    list.count = start.unwrap_or(list.count.saturating_add(1));
                }
                self.is_item = name == "list-item";
            }
            "image" => self.writer.picture(),
            "page" => self.open_slide(element)?,
            "frame" => self.in_title = element.attribute("class").as_deref() == Some("title"),
            _ => return self.open_part(element),
        }
        Ok(Next::Inside)
    }

    fn open_part(&mut self, element: &Element<'_>) -> Result<Next, Stop> {
        match element.name() {
            "table" => {
                let style = element.attribute("style-name").unwrap_or_default();
                if self.styles.breaks_before(&style) && !self.writer.is_page_blank() {
                    self.end_page()?;
                }
                self.writer.begin_table()?;
            }
            "object" => {
                let address = element.attribute("href").unwrap_or_default();
                if let Some(formula) = self.formulas.get(&formulas::folder_of_address(&address)) {
                    self.writer.text(formula, Style::default());
                }
            }
            "table-row" => self.writer.begin_row()?,
            "table-cell" => {
                self.writer.begin_cell()?;
                self.writer.span(element.number("number-columns-repeated").unwrap_or(1), 1);
            }
            // The places that a merged cell covers.
            "covered-table-cell" => {
                self.writer.begin_cell()?;
                self.writer.span(element.number("number-columns-repeated").unwrap_or(1), 1);
                self.writer.end_cell()?;
                return Ok(Next::After);
            }
            _ => {}
        }
        Ok(Next::Inside)
    }

    fn open_paragraph(&mut self, element: &Element<'_>) -> Result<(), Stop> {
        self.depth += 1;
        if let Some(note) = &mut self.note {
            note.text.push(' ');
            return Ok(());
        }
        let style = element.attribute("style-name").unwrap_or_default();
        // A paragraph inside of another is in a text box.
        if self.depth > 1 {
            let line = self.writer.take_line();
            self.outer.push(line);
        } else if self.styles.breaks_before(&style) && !self.writer.is_page_blank() {
            self.end_page()?;
        }
        let is_heading = element.name() == "h";
        self.heading = is_heading.then(|| element.number("outline-level").unwrap_or(1));
        let look = if is_heading { Style::default() } else { self.styles.emphasis(&style, Style::default()) };
        self.looks.push(look);
        self.style = style;
        Ok(())
    }

    fn open_list(&mut self, element: &Element<'_>) {
        let style = element.attribute("style-name");
        let style = style.or_else(|| self.lists.last().map(|list| list.style.clone())).unwrap_or_default();
        self.lists.push(List { style, count: 0 });
    }

    fn open_slide(&mut self, element: &Element<'_>) -> Result<(), Stop> {
        if self.slides > 0 {
            self.writer.page_break()?;
        }
        self.slides += 1;
        let name = element.attribute("name").filter(|name| !is_number_of_page(name));
        self.writer.set_name(name);
        Ok(())
    }

    fn spaces(&mut self, count: usize) {
        if let Some(note) = &mut self.note {
            note.text.push(' ');
        } else {
            let look = self.looks.last().copied().unwrap_or_default();
            self.writer.text(&" ".repeat(count.min(MAX_SPACES)), look);
        }
    }

    pub(super) fn close(&mut self, name: &str) -> Result<(), Stop> {
        match name {
            "p" | "h" => self.close_paragraph()?,
            "note-citation" => self.depth = self.depth.saturating_sub(1),
            "note" => self.close_note(),
            "notes" => self.in_slide_notes = false,
            "frame" => self.close_frame(),
            "span" if self.looks.len() > 1 => drop(self.looks.pop()),
            "a" if self.note.is_none() => self.writer.end_link(),
            "list" => drop(self.lists.pop()),
            "list-item" | "list-header" => self.is_item = false,
            "table-cell" => self.writer.end_cell()?,
            "table-row" => self.writer.end_row()?,
            "table" => self.writer.end_table()?,
            _ => {}
        }
        Ok(())
    }

    /// A slide is called by its title. `LibreOffice` names it too, by its number.
    fn close_frame(&mut self) {
        if std::mem::take(&mut self.in_title) {
            self.writer.set_name(Some(std::mem::take(&mut self.title)));
        }
    }

    fn close_paragraph(&mut self) -> Result<(), Stop> {
        self.depth = self.depth.saturating_sub(1);
        if self.note.is_some() {
            return Ok(());
        }
        self.write_paragraph()?;
        self.looks.truncate(self.depth);
        if let Some(line) = self.outer.pop() {
            self.writer.put_line(line);
        }
        if self.depth == 0 && self.styles.breaks_after(&self.style) {
            self.end_page()?;
        }
        Ok(())
    }

    fn write_paragraph(&mut self) -> Result<(), Stop> {
        if self.writer.is_blank() {
            return self.writer.end(Block::Paragraph);
        }
        if self.in_slide_notes {
            self.writer.prepend("Notes: ");
            self.in_slide_notes = false;
        }
        let is_item = std::mem::take(&mut self.is_item);
        let title = self.in_title.then_some(1);
        match (self.heading.take().or(title), self.lists.last()) {
            (Some(level), _) => self.writer.end(Block::Heading(level)),
            (None, Some(list)) if is_item => {
                let level = self.lists.len() - 1;
                let number = self.styles.is_numbered(&list.style, level + 1).then(|| format!("{}.", list.count));
                self.writer.end(Block::Item { level, number: number.as_deref() })
            }
            (None, None) if Styles::is_code(&self.style) => self.writer.end(Block::Code),
            (None, None) if Styles::is_quote(&self.style) => self.writer.end(Block::Quote),
            (None, _) => self.writer.end(Block::Paragraph),
        }
    }

    fn close_note(&mut self) {
        let Some(note) = self.note.take() else { return };
        self.notes += 1;
        let label: String = note.label.chars().filter(char::is_ascii_alphanumeric).take(9).collect();
        let label = if label.is_empty() { self.notes.to_string() } else { label };
        let words: Vec<&str> = note.text.split_whitespace().collect();
        self.writer.note(&label, &words.join(" "));
    }

    /// Ends the page. What stands before it in the open paragraph belongs to the page.
    fn end_page(&mut self) -> Result<(), Stop> {
        if !self.writer.in_table() && self.note.is_none() && !self.writer.is_blank() {
            self.write_paragraph()?;
        }
        self.writer.page_break()
    }
}

/// Whether a slide's name is the one that it gets by itself.
fn is_number_of_page(name: &str) -> bool {
    name.strip_prefix("page").is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}
