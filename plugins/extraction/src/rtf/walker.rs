//! Walks through the parts of an RTF file.

use std::collections::HashMap;

use encoding_rs::{Encoding, WINDOWS_1252};

use super::columns::Columns;
use super::tokens::Token;
use crate::failure::{Failure, Stop};
use crate::writer::{Block, Style, Writer};

/// Most groups inside of each other.
const MAX_DEPTH: usize = 1000;
/// Most cells of a row.
const MAX_CELLS: usize = 1000;
/// Most fonts.
const MAX_FONTS: i32 = 10_000;
/// Most bytes of a title, a number of a list or a note.
const MAX_FIELD: usize = 100_000;

/// Bytes that become characters at once.
const MAX_PIECE: usize = 256 * 1024;

/// What the text of a group is for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Place {
    #[default]
    Body,
    /// Nothing.
    Skipped,
    Fonts,
    Title,
    Author,
    /// The number of a paragraph in a list.
    Number,
    Note,
    /// What a field does.
    Instruction,
}

/// What a group says, until it ends.
#[derive(Clone, Copy, Debug)]
struct Group {
    place: Place,
    style: Style,
    is_hidden: bool,
    encoding: &'static Encoding,
    /// Characters for older readers after one that is written by its number.
    replaced: usize,
    /// Whether it is inside of a link.
    is_link: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "each says where in the document the walker is")]
pub(super) struct Walker<'p, 's> {
    writer: Writer<'p, 's>,
    group: Group,
    groups: Vec<Group>,
    /// Whether the next word says what the group is for, and may be unknown.
    is_optional: bool,
    /// The encodings of fonts that have one of their own.
    fonts: HashMap<i32, &'static Encoding>,
    /// The encoding of the others.
    encoding: &'static Encoding,
    font: i32,
    /// Bytes that are not yet characters.
    bytes: Vec<u8>,
    /// Characters that older readers would show.
    skipped: usize,
    /// The first half of a character of two halves.
    half: Option<u16>,
    /// What is collected in this place.
    field: String,
    number: String,
    level: usize,
    heading: Option<usize>,
    in_table: bool,
    /// Where the cells of the row end, those that were begun, and where the columns of the tables end.
    edges: Vec<i32>,
    cell: usize,
    columns: Columns,
    cell_is_open: bool,
    /// Whether the next text begins a page.
    begins_page: bool,
    /// Where the link leads whose text follows.
    address: Option<String>,
    notes: u32,
}

impl<'p, 's> Walker<'p, 's> {
    pub(super) fn new(writer: Writer<'p, 's>, columns: Columns) -> Self {
        let group = Group {
            place: Place::Body,
            style: Style::default(),
            is_hidden: false,
            encoding: WINDOWS_1252,
            replaced: 1,
            is_link: false,
        };
        Self {
            writer,
            group,
            groups: Vec::new(),
            is_optional: false,
            fonts: HashMap::new(),
            encoding: WINDOWS_1252,
            font: 0,
            bytes: Vec::new(),
            skipped: 0,
            half: None,
            field: String::new(),
            number: String::new(),
            level: 0,
            heading: None,
            in_table: false,
            edges: Vec::new(),
            cell: 0,
            columns,
            cell_is_open: false,
            begins_page: false,
            address: None,
            notes: 0,
        }
    }

    pub(super) fn finish(mut self) -> Result<(), Stop> {
        self.end_bytes()?;
        self.end_paragraph()?;
        self.writer.end_part()
    }

    pub(super) fn take(&mut self, token: Token<'_>) -> Result<(), Stop> {
        if !matches!(token, Token::Byte(_) | Token::Text(_)) {
            self.end_bytes()?;
        }
        match token {
            Token::Open if self.groups.len() >= MAX_DEPTH => {
                Err(Failure::damaged("The file is damaged: its content is nested too deeply.").into())
            }
            Token::Open => {
                self.groups.push(self.group);
                self.skipped = 0;
                Ok(())
            }
            Token::Close => {
                self.close();
                Ok(())
            }
            Token::Word(word, number) => self.word(word, number),
            Token::Sign(sign) => self.sign(sign),
            Token::Byte(byte) => {
                self.byte(byte);
                Ok(())
            }
            Token::Text(text) => text.chunks(MAX_PIECE).try_for_each(|piece| {
                for byte in piece {
                    self.byte(*byte);
                }
                if self.bytes.len() > MAX_PIECE { self.end_bytes() } else { Ok(()) }
            }),
        }
    }

    fn close(&mut self) {
        let Some(group) = self.groups.pop() else { return };
        let Group { place: ended, is_link, .. } = std::mem::replace(&mut self.group, group);
        (self.is_optional, self.skipped) = (false, 0);
        if is_link && !self.group.is_link {
            self.writer.end_link();
        }
        if ended == self.group.place || matches!(ended, Place::Body | Place::Skipped | Place::Fonts) {
            return;
        }
        let field = std::mem::take(&mut self.field);
        match ended {
            Place::Title => self.writer.pages.set_title(&field),
            Place::Author => self.writer.pages.set_author(&field),
            Place::Number => self.number = field.trim().into(),
            Place::Note => {
                self.notes += 1;
                let words: Vec<&str> = field.split_whitespace().collect();
                self.writer.note(&self.notes.to_string(), &words.join(" "));
            }
            Place::Instruction => self.address = address_of(&field),
            Place::Body | Place::Skipped | Place::Fonts => {}
        }
    }

    fn byte(&mut self, byte: u8) {
        if self.skipped > 0 {
            self.skipped -= 1;
        } else if !matches!(self.group.place, Place::Skipped | Place::Fonts) {
            self.bytes.push(byte);
        }
    }

    /// Makes characters of the bytes so far.
    fn end_bytes(&mut self) -> Result<(), Stop> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.bytes);
        let text = self.group.encoding.decode_without_bom_handling(&bytes).0.into_owned();
        self.text(&text)
    }

    fn text(&mut self, text: &str) -> Result<(), Stop> {
        match self.group.place {
            _ if self.group.is_hidden => {}
            Place::Skipped | Place::Fonts => {}
            Place::Body => {
                if std::mem::take(&mut self.begins_page) {
                    self.begin_page()?;
                }
                self.open_table()?;
                // Headings are bold by their looks.
                let is_heading = self.heading.is_some() && !self.in_table;
                self.writer.text(text, if is_heading { Style::default() } else { self.group.style });
            }
            _ if self.field.len() + text.len() <= MAX_FIELD => self.field.push_str(text),
            _ => {}
        }
        Ok(())
    }

    fn sign(&mut self, sign: u8) -> Result<(), Stop> {
        match sign {
            b'*' => self.is_optional = true,
            b'~' => return self.text(" "),
            b'_' => return self.text("-"),
            b'\\' | b'{' | b'}' => self.byte(sign),
            b'\n' | b'\r' => return self.word("par", None),
            _ => {}
        }
        Ok(())
    }

    fn word(&mut self, word: &str, number: Option<i32>) -> Result<(), Stop> {
        let is_optional = std::mem::take(&mut self.is_optional);
        if let Some(place) = place_of(word) {
            // A title is inside of what is otherwise left out, and everything else in the text itself.
            let is_known = self.group.place == Place::Body || matches!(place, Place::Title | Place::Author);
            self.group.place = if is_known { place } else { Place::Skipped };
            if is_known {
                self.field.clear();
            }
            if matches!(word, "pict" | "shppict") {
                self.writer.picture();
            }
            return Ok(());
        }
        if word == "trowd" {
            self.columns.next_row();
            self.edges.clear();
        }
        match self.group.place {
            _ if is_optional => self.group.place = Place::Skipped,
            Place::Skipped => {}
            Place::Fonts => self.font_word(word, number),
            _ => {
                if !self.character(word, number)? {
                    self.paragraph_word(word, number)?;
                }
            }
        }
        Ok(())
    }

    fn font_word(&mut self, word: &str, number: Option<i32>) {
        match (word, number) {
            ("f", Some(font)) => self.font = font,
            ("fcharset", Some(charset)) if (0..MAX_FONTS).contains(&self.font) => {
                if let Some(encoding) = encoding_of_charset(charset) {
                    self.fonts.insert(self.font, encoding);
                }
            }
            _ => {}
        }
    }

    /// Words that stand for characters, or say how they look. False if the word is another one.
    fn character(&mut self, word: &str, number: Option<i32>) -> Result<bool, Stop> {
        let is_on = number != Some(0);
        match word {
            "u" => return self.unicode(number.unwrap_or(0)).map(|()| true),
            "uc" => self.group.replaced = usize::try_from(number.unwrap_or(1)).unwrap_or(1).min(100),
            "ansicpg" => {
                let label = format!("windows-{}", number.unwrap_or(1252));
                self.encoding = Encoding::for_label(label.as_bytes()).unwrap_or(WINDOWS_1252);
                self.group.encoding = self.encoding;
            }
            "f" => {
                let own = number.and_then(|font| self.fonts.get(&font));
                self.group.encoding = own.copied().unwrap_or(self.encoding);
            }
            "b" => self.group.style.bold = is_on,
            "i" => self.group.style.italic = is_on,
            "strike" => self.group.style.strike = is_on,
            "v" => self.group.is_hidden = is_on,
            "plain" => (self.group.style, self.group.is_hidden) = (Style::default(), false),
            "tab" => self.text("\t")?,
            "emdash" => self.text("—")?,
            "endash" => self.text("–")?,
            "lquote" => self.text("‘")?,
            "rquote" => self.text("’")?,
            "ldblquote" => self.text("“")?,
            "rdblquote" => self.text("”")?,
            "bullet" => self.text("•")?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn unicode(&mut self, number: i32) -> Result<(), Stop> {
        self.skipped = self.group.replaced;
        // Numbers above 32,767 are written as negative ones, and characters above 65,535 as two halves.
        let Ok(unit) = u16::try_from(number.rem_euclid(0x1_0000)) else { return Ok(()) };
        let units = [self.half.take().unwrap_or(unit), unit];
        let units = if units[0] == unit { &units[..1] } else { &units[..] };
        if units.len() == 1 && (0xd800..0xdc00).contains(&unit) {
            self.half = Some(unit);
            return Ok(());
        }
        let text = String::from_utf16_lossy(units);
        self.text(&text)
    }

    fn paragraph_word(&mut self, word: &str, number: Option<i32>) -> Result<(), Stop> {
        if self.group.place != Place::Body {
            return if matches!(word, "par" | "line") { self.text(" ") } else { Ok(()) };
        }
        match word {
            "par" => return self.end_paragraph(),
            "sect" => {
                self.begins_page = true;
                return self.end_paragraph();
            }
            "line" | "nestrow" => self.writer.line_break(),
            "nestcell" => return self.text(" "),
            "page" => {
                self.end_paragraph()?;
                self.leave_table()?;
                return self.writer.page_break();
            }
            "pagebb" if number != Some(0) => self.begins_page = true,
            "sbknone" | "sbkcol" => self.begins_page = false,
            "fldrslt" => {
                if let Some(address) = self.address.take() {
                    self.group.is_link = true;
                    self.open_table()?;
                    self.writer.begin_link(&address);
                }
            }
            "cellx" if self.edges.len() < MAX_CELLS => self.edges.push(number.unwrap_or(0)),
            "pard" => {
                (self.heading, self.in_table, self.level) = (None, false, 0);
                self.number.clear();
            }
            "intbl" => self.in_table = true,
            "outlinelevel" => self.heading = number.and_then(|level| usize::try_from(level).ok()).filter(|l| *l < 9),
            "ilvl" => self.level = number.and_then(|level| usize::try_from(level).ok()).unwrap_or(0),
            "cell" => {
                self.in_table = true;
                self.open_table()?;
                self.cell_is_open = false;
                return self.writer.end_cell();
            }
            "row" => {
                (self.cell_is_open, self.cell) = (false, 0);
                return self.writer.end_row();
            }
            _ => {}
        }
        Ok(())
    }

    /// Begins or ends a table before text of a paragraph.
    fn open_table(&mut self) -> Result<(), Stop> {
        if !self.in_table {
            return self.leave_table();
        }
        if !self.writer.in_table() {
            self.writer.begin_table()?;
        }
        if !self.cell_is_open {
            self.cell_is_open = true;
            self.writer.begin_cell()?;
            let left = self.cell.checked_sub(1).and_then(|before| self.edges.get(before));
            if let Some(right) = self.edges.get(self.cell) {
                self.writer.span(self.columns.count(left.copied(), *right), 1);
            }
            self.cell += 1;
        }
        Ok(())
    }

    /// Ends a table that no text followed so far.
    fn leave_table(&mut self) -> Result<(), Stop> {
        if self.in_table || !self.writer.in_table() {
            return Ok(());
        }
        (self.cell_is_open, self.cell) = (false, 0);
        self.writer.end_table()
    }

    /// Begins a page if this one holds anything.
    fn begin_page(&mut self) -> Result<(), Stop> {
        self.leave_table()?;
        if self.writer.is_page_blank() { Ok(()) } else { self.writer.page_break() }
    }

    fn end_paragraph(&mut self) -> Result<(), Stop> {
        let number = std::mem::take(&mut self.number);
        if self.writer.is_blank() {
            return self.writer.end(Block::Paragraph);
        }
        match (self.heading, number.as_str()) {
            (Some(level), number) if !self.in_table => {
                if !number.is_empty() {
                    self.writer.prepend(&format!("{number} "));
                }
                self.writer.end(Block::Heading(level + 1))
            }
            (_, "") => self.writer.end(Block::Paragraph),
            (_, number) => {
                let is_bullet = !number.contains(char::is_alphanumeric);
                self.writer.end(Block::Item { level: self.level, number: (!is_bullet).then_some(number) })
            }
        }
    }
}

/// What the text of a group is for that begins with this word.
fn place_of(word: &str) -> Option<Place> {
    Some(match word {
        "fonttbl" => Place::Fonts,
        "title" => Place::Title,
        "author" => Place::Author,
        "listtext" | "pntext" => Place::Number,
        "footnote" => Place::Note,
        "fldinst" => Place::Instruction,
        "colortbl" | "stylesheet" | "info" | "pict" | "shppict" | "nonshppict" | "object" | "header" | "headerl"
        | "headerr" | "headerf" | "footer" | "footerl" | "footerr" | "footerf" | "themedata" | "datastore"
        | "listtable" | "listoverridetable" | "generator" | "xmlnstbl" | "rsidtbl" | "bkmkstart" | "bkmkend"
        | "annotation" | "atnid" | "atnauthor" | "revtbl" | "filetbl" | "pgdsctbl" | "latentstyles" => Place::Skipped,
        _ => return None,
    })
}

/// The address in a field's instruction such as `HYPERLINK "https://…"`.
fn address_of(instruction: &str) -> Option<String> {
    let rest = instruction.trim_start().strip_prefix("HYPERLINK")?.trim_start();
    let address = rest.strip_prefix('"')?.split('"').next()?;
    Some(address.into())
}

fn encoding_of_charset(charset: i32) -> Option<&'static Encoding> {
    let label = match charset {
        77 => "macintosh",
        128 => "shift_jis",
        129 => "euc-kr",
        134 => "gbk",
        136 => "big5",
        161 => "windows-1253",
        162 => "windows-1254",
        163 => "windows-1258",
        177 => "windows-1255",
        178 => "windows-1256",
        186 => "windows-1257",
        204 => "windows-1251",
        222 => "windows-874",
        238 => "windows-1250",
        _ => return None,
    };
    Encoding::for_label(label.as_bytes())
}
