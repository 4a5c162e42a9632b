//! Writes Markdown while a document is read: paragraphs, headings, lists and tables in, pages out.
//!
//! A page ends where the document says so. Where it says nothing, a page ends at a heading before
//! [`PART`] characters, or at the end of a paragraph if there is no heading.

mod line;
mod table;

pub(crate) use line::{Line, Style, escape, escape_begin, is_address};
use table::Table;
pub(crate) use table::render as render_table;

use crate::failure::{Failure, Stop};
use crate::pages::Pages;

/// Most characters of a page that the document does not end itself.
pub(crate) const PART: usize = 20_000;
/// A page is not cut at a heading that comes earlier than this many characters.
const SMALL: usize = 2000;
/// Bytes after which a paragraph ends by itself.
const MAX_LINE: usize = 64 * 1024;
/// Most characters of a row of a table.
const MAX_ROW: usize = 4 * 1024 * 1024;
/// Most bytes of the notes of a page.
const MAX_NOTES: usize = 4 * 1024 * 1024;
/// Most levels of lists that are shown.
const MAX_LEVEL: usize = 8;

const TOO_LARGE: Failure = Failure::too_large("A part of the document is larger than its parts may be.");

/// What a paragraph is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Block<'b> {
    Paragraph,
    /// From 1 on.
    Heading(usize),
    /// Of a list, from level 0 on; with the number that is shown, such as `1.` or `(a)`.
    Item {
        level: usize,
        number: Option<&'b str>,
    },
    Quote,
    Code,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Last {
    #[default]
    Other,
    Item(usize),
    Quote,
    Code,
}

/// A document that is being written.
pub(crate) struct Writer<'p, 's> {
    pub(crate) pages: &'p mut Pages<'s>,
    page: String,
    /// Characters of `page`.
    size: usize,
    /// Where in `page` the last heading begins at which it may be cut, and the characters before it.
    cut: Option<(usize, usize)>,
    last: Last,
    line: Line,
    /// The outermost open table.
    table: Option<Table>,
    /// Notes of the page: where in it they are referred to, and their Markdown.
    notes: Vec<(usize, String)>,
    /// Bytes of `notes`.
    notes_size: usize,
    name: Option<String>,
    /// Whether the page holds a picture.
    picture: bool,
    /// What went wrong where nothing could be said, until the end of the paragraph.
    stop: Option<Stop>,
}

impl<'p, 's> Writer<'p, 's> {
    pub(crate) fn new(pages: &'p mut Pages<'s>) -> Self {
        Self {
            pages,
            page: String::new(),
            size: 0,
            cut: None,
            last: Last::Other,
            line: Line::default(),
            table: None,
            notes: Vec::new(),
            notes_size: 0,
            name: None,
            picture: false,
            stop: None,
        }
    }

    /// The name of the pages from now on.
    pub(crate) fn set_name(&mut self, name: Option<String>) {
        self.name = name;
    }

    pub(crate) fn text(&mut self, text: &str, style: Style) {
        self.line.push(text, style);
        self.bound_line();
    }

    /// Adds text as HTML shows it: any spaces are one.
    pub(crate) fn text_collapsed(&mut self, text: &str, style: Style) {
        let mut spaced = self.line.ends_with_space();
        let mut collapsed = String::with_capacity(text.len());
        for c in text.chars() {
            let space = matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{c}');
            if !space {
                collapsed.push(c);
            } else if !spaced {
                collapsed.push(' ');
            }
            spaced = space;
        }
        self.line.push(&collapsed, style);
        self.bound_line();
    }

    /// Ends a paragraph that never ends.
    fn bound_line(&mut self) {
        if self.line.len() > MAX_LINE && self.stop.is_none() {
            self.stop = self.end(Block::Paragraph).err();
        }
    }

    pub(crate) fn line_break(&mut self) {
        self.line.push_break();
    }

    pub(crate) fn begin_link(&mut self, address: &str) {
        self.line.begin_link(address);
    }

    pub(crate) fn end_link(&mut self) {
        self.line.end_link();
    }

    /// Refers to a note, which stands at the end of the page. Its label is a word.
    pub(crate) fn note(&mut self, label: &str, text: &str) {
        self.line.push_markdown(&format!("[^{label}]"));
        let note = format!("[^{label}]: {}", note_of(text.trim()));
        self.notes_size += note.len();
        self.notes.push((self.page.len(), note));
        if self.notes_size > MAX_NOTES {
            self.stop = Some(TOO_LARGE.into());
        }
    }

    /// Says that the page holds a picture, which is left out.
    pub(crate) fn picture(&mut self) {
        self.picture = true;
        self.pages.omit_pictures();
    }

    /// Whether the open paragraph holds no text.
    pub(crate) fn is_blank(&self) -> bool {
        self.line.is_blank()
    }

    /// Whether the page holds nothing, neither text nor a picture.
    pub(crate) fn is_page_blank(&self) -> bool {
        self.page.is_empty() && self.line.is_blank() && !self.picture && self.table.is_none()
    }

    /// Takes the open paragraph away, for one inside of it.
    pub(crate) fn take_line(&mut self) -> Line {
        std::mem::take(&mut self.line)
    }

    /// Puts back what [`Writer::take_line`] took.
    pub(crate) fn put_line(&mut self, line: Line) {
        self.line = line;
    }

    /// Puts a text before the open paragraph.
    pub(crate) fn prepend(&mut self, text: &str) {
        self.line.prepend(text);
    }

    /// Ends the open paragraph.
    pub(crate) fn end(&mut self, block: Block<'_>) -> Result<(), Stop> {
        if let Some(stop) = self.stop.take() {
            return Err(stop);
        }
        let text = self.line.take();
        if text.is_empty() {
            return Ok(());
        }
        if let Some(table) = &mut self.table {
            match block {
                Block::Item { number, .. } => table.push(&format!("{} {text}", number.unwrap_or("•"))),
                _ => table.push(&text),
            }
            return if table.size() > MAX_ROW { Err(TOO_LARGE.into()) } else { Ok(()) };
        }
        let (markdown, last) = self.markdown_of(&text, block);
        self.add(&markdown, matches!(block, Block::Heading(_)), last)
    }

    /// Adds a block that is Markdown already.
    pub(crate) fn block(&mut self, markdown: &str, is_heading: bool) -> Result<(), Stop> {
        if markdown.is_empty() { Ok(()) } else { self.add(markdown, is_heading, Last::Other) }
    }

    /// Adds a line of code or of preformatted text. Lines that follow each other are one block.
    pub(crate) fn code(&mut self, text: &str) -> Result<(), Stop> {
        if let Some(table) = &mut self.table {
            let mut escaped = String::with_capacity(text.len());
            escape(text.trim(), &mut escaped);
            table.push(&escaped);
            return Ok(());
        }
        // No line of the text can end the block.
        let text = text.trim_end().replace("```", "'''");
        self.add(&format!("```\n{text}\n```"), false, Last::Code)
    }

    pub(crate) fn begin_table(&mut self) -> Result<(), Stop> {
        self.end(Block::Paragraph)?;
        match &mut self.table {
            Some(table) => table.inner += 1,
            None => self.table = Some(Table::default()),
        }
        Ok(())
    }

    /// Begins a row, and ends the one before: HTML does not always say where a row ends.
    pub(crate) fn begin_row(&mut self) -> Result<(), Stop> {
        self.end_row()?;
        if let Some(table) = self.table.as_mut().filter(|table| table.inner == 0) {
            table.begin_row();
        }
        Ok(())
    }

    pub(crate) fn begin_cell(&mut self) -> Result<(), Stop> {
        self.end(Block::Paragraph)?;
        if let Some(table) = self.table.as_mut().filter(|table| table.inner == 0) {
            table.begin_cell();
        }
        Ok(())
    }

    /// How many columns and rows the open cell covers.
    pub(crate) fn span(&mut self, columns: usize, rows: usize) {
        if let Some(table) = self.table.as_mut().filter(|table| table.inner == 0) {
            table.span(columns, rows);
        }
    }

    pub(crate) fn end_cell(&mut self) -> Result<(), Stop> {
        self.end(Block::Paragraph)?;
        if let Some(table) = self.table.as_mut().filter(|table| table.inner == 0) {
            table.end_cell();
        }
        Ok(())
    }

    pub(crate) fn end_row(&mut self) -> Result<(), Stop> {
        self.end(Block::Paragraph)?;
        let Some(table) = self.table.as_mut().filter(|table| table.inner == 0) else { return Ok(()) };
        table.end_row();
        if table.page_ends {
            table.page_ends = false;
            let part = table.take();
            self.add_table(part)?;
            return self.end_page();
        }
        if table.size() + self.size > PART - SMALL {
            let part = table.take();
            return self.add_table(part);
        }
        Ok(())
    }

    pub(crate) fn end_table(&mut self) -> Result<(), Stop> {
        self.end(Block::Paragraph)?;
        let Some(table) = &mut self.table else { return Ok(()) };
        if table.inner > 0 {
            table.inner -= 1;
            return Ok(());
        }
        table.end_row();
        let part = table.take();
        self.table = None;
        self.add_table(part)
    }

    /// Whether a table is open.
    pub(crate) fn in_table(&self) -> bool {
        self.table.is_some()
    }

    /// Ends the page where the document says so; inside of a table at the end of its row.
    pub(crate) fn page_break(&mut self) -> Result<(), Stop> {
        if let Some(table) = &mut self.table {
            table.page_ends = true;
            return Ok(());
        }
        self.end_page()
    }

    /// Ends the page unless it is blank.
    pub(crate) fn end_part(&mut self) -> Result<(), Stop> {
        while self.table.is_some() {
            self.end_table()?;
        }
        self.end(Block::Paragraph)?;
        if self.is_page_blank() { Ok(()) } else { self.end_page() }
    }

    fn end_page(&mut self) -> Result<(), Stop> {
        let whole = self.page.len();
        self.hand_over(whole)?;
        self.picture = false;
        Ok(())
    }

    fn markdown_of(&self, text: &str, block: Block<'_>) -> (String, Last) {
        match block {
            Block::Paragraph => (lines_of(text, ""), Last::Other),
            Block::Heading(level) => {
                (format!("{} {}", "#".repeat(level.clamp(1, 6)), text.replace('\n', " ")), Last::Other)
            }
            Block::Item { level, number } => {
                let deepest = if let Last::Item(last) = self.last { last + 1 } else { 0 };
                let level = level.min(deepest).min(MAX_LEVEL);
                let indent = " ".repeat(4 * level);
                let text = lines_of(text, &format!("{indent}  "));
                let item = match number {
                    Some(number) if is_markdown_number(number) => format!("{indent}{number} {text}"),
                    Some(number) => format!("{indent}- {number} {text}"),
                    None => format!("{indent}- {text}"),
                };
                (item, Last::Item(level))
            }
            Block::Quote => (format!("> {}", lines_of(text, "> ")), Last::Quote),
            Block::Code => (format!("```\n{}\n```", text.replace("```", "'''")), Last::Code),
        }
    }

    fn add_table(&mut self, table: Option<String>) -> Result<(), Stop> {
        table.map_or(Ok(()), |table| self.add(&table, false, Last::Other))
    }

    fn add(&mut self, block: &str, is_heading: bool, last: Last) -> Result<(), Stop> {
        let mut block = block;
        let separator = match (self.last, last) {
            _ if self.page.is_empty() => "",
            (Last::Item(_), Last::Item(_)) => "\n",
            (Last::Quote, Last::Quote) => "\n>\n",
            (Last::Code, Last::Code) if self.page.ends_with("\n```") => {
                self.page.truncate(self.page.len() - 4);
                block = block.strip_prefix("```").unwrap_or(block);
                ""
            }
            _ => "\n\n",
        };
        let before = self.page.len();
        self.page.push_str(separator);
        if is_heading && self.size >= SMALL {
            self.cut = Some((self.page.len(), self.size));
        }
        let begin = self.page.len();
        self.page.push_str(block);
        let size_before = self.size;
        self.size += block.chars().count() + separator.len();
        self.last = last;
        if self.size > PART {
            let at = match self.cut {
                // A heading near the end of what fits is where a reader would cut.
                Some((at, _)) => at,
                None if before > 0 && size_before >= SMALL && last != Last::Code => begin,
                None => self.page.len(),
            };
            self.cut_at(at)?;
        }
        Ok(())
    }

    /// Hands over the page up to here, and goes on with the rest.
    fn cut_at(&mut self, at: usize) -> Result<(), Stop> {
        let last = self.last;
        let rest = self.page.split_off(at.min(self.page.len()));
        self.hand_over(at)?;
        self.size = rest.chars().count();
        self.last = if rest.is_empty() { Last::Other } else { last };
        self.page = rest;
        if self.size > PART { self.cut_at(self.page.len()) } else { Ok(()) }
    }

    /// Hands over the page. Notes that are referred to after `until` stay for the next one.
    fn hand_over(&mut self, until: usize) -> Result<(), Stop> {
        let mut page = std::mem::take(&mut self.page);
        page.truncate(page.trim_end().len());
        let mut later = Vec::new();
        for (at, note) in std::mem::take(&mut self.notes) {
            if at < until || until == 0 {
                page.push_str("\n\n");
                page.push_str(&note);
            } else {
                later.push((at - until, note));
            }
        }
        self.notes_size = later.iter().map(|(_, note)| note.len()).sum();
        self.notes = later;
        self.size = 0;
        self.cut = None;
        self.last = Last::Other;
        if page.trim().is_empty() && self.picture {
            return self.pages.add_picture(self.name.as_deref());
        }
        for piece in pieces(page.trim_start_matches('\n')) {
            self.pages.add(piece, self.name.as_deref())?;
        }
        Ok(())
    }
}

/// The lines of a paragraph, broken where they end, with this before each but the first.
fn lines_of(text: &str, before: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escape_begin).collect();
    lines.join(&format!("  \n{before}"))
}

/// A note's text. One that is a single address would make a link of each place that refers to it, where Markdown knows
/// no notes; a space parts an address that no link may have.
fn note_of(text: &str) -> String {
    let scheme = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '.' | '-')).unwrap_or(0);
    let parted = match text.as_bytes() {
        [b'/' | b'\\', b'/' | b'\\', ..] => 1,
        _ if text[scheme..].starts_with(':') && !is_address(text) => scheme + 1,
        _ => 0,
    };
    let mut escaped = String::with_capacity(text.len());
    escape(&text[..parted], &mut escaped);
    escaped.push_str(if parted > 0 { " " } else { "" });
    escape(text[parted..].trim_start(), &mut escaped);
    escaped
}

/// Cuts a text that is much longer than a page at the ends of lines or words. Code that is cut is code in both parts.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut in_code = false;
    // A page may be longer than a part: the last block is not cut for little.
    while let Some((limit, _)) = rest.char_indices().nth(PART + SMALL) {
        let part = &rest[..limit];
        let at = part.rfind('\n').or_else(|| part.rfind(' ')).filter(|at| *at > limit / 2).unwrap_or(limit);
        // What is escaped stays behind its sign; two signs are one that is escaped.
        let signs = at - part[..at].trim_end_matches('\\').len();
        let at = at - signs % 2;
        let (piece, after) = rest.split_at(at);
        let was_in_code = in_code;
        in_code ^= piece.lines().filter(|line| is_fence(line)).count() % 2 == 1;
        pieces.push(fenced(piece.trim_end(), was_in_code, in_code));
        rest = if in_code { after.trim_start_matches(['\n', ' ']) } else { after.trim_start() };
    }
    pieces.push(fenced(rest, in_code, false));
    pieces
}

/// Whether a line begins or ends code as it is written here.
fn is_fence(line: &str) -> bool {
    line.strip_prefix("```").is_some_and(|kind| kind.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// A piece whose code begins before it, or goes on after it.
fn fenced(piece: &str, begins_before: bool, goes_on: bool) -> String {
    let (begin, end) = (if begins_before { "```\n" } else { "" }, if goes_on { "\n```" } else { "" });
    [begin, piece, end].concat()
}

fn is_markdown_number(number: &str) -> bool {
    let digits = number.trim_end_matches(['.', ')']);
    number.len() == digits.len() + 1 && digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
