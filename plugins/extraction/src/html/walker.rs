//! Walks through the tags of an HTML file.

use html5gum::{StartTag, Token};

use super::About;
use super::layout::{layout_tables, tokens};
use crate::failure::Stop;
use crate::writer::{Block, Style, Writer};

/// Most bytes of a title.
const MAX_TITLE: usize = 1000;

/// Bytes of text that are written at once.
const MAX_PIECE: usize = 64 * 1024;
/// Bytes of preformatted text that are kept until it is written.
const MAX_PREFORMATTED: usize = 1024 * 1024;

/// A list that is open, and the number of its next item if it is numbered.
type List = Option<u32>;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Table {
    Layout,
    /// A table whose first row is not there yet.
    Announced,
    Begun,
}

pub(super) struct Walker<'h, 'w, 'p, 's> {
    html: &'h str,
    writer: &'w mut Writer<'p, 's>,
    about: About,
    bold: usize,
    italic: usize,
    strike: usize,
    code: usize,
    quote: usize,
    heading: Option<usize>,
    /// The text of the heading, if it is the first one.
    heading_text: Option<String>,
    lists: Vec<List>,
    /// The level and the number of the item that has no paragraph yet.
    item: Option<(usize, Option<u32>)>,
    tables: Vec<Table>,
    /// For each table that is still to come, whether it is one for layout.
    layout: std::vec::IntoIter<bool>,
    /// The text of the preformatted element that is open.
    preformatted: Option<String>,
    in_title: bool,
    /// The element that is left out, and how many of its name are open.
    skipped: Option<(Vec<u8>, usize)>,
}

impl<'h, 'w, 'p, 's> Walker<'h, 'w, 'p, 's> {
    pub(super) fn new(html: &'h str, writer: &'w mut Writer<'p, 's>) -> Self {
        Self {
            html,
            writer,
            about: About::default(),
            bold: 0,
            italic: 0,
            strike: 0,
            code: 0,
            quote: 0,
            heading: None,
            heading_text: None,
            lists: Vec::new(),
            item: None,
            tables: Vec::new(),
            layout: layout_tables(html).into_iter(),
            preformatted: None,
            in_title: false,
            skipped: None,
        }
    }

    pub(super) fn walk(mut self) -> Result<About, Stop> {
        for token in tokens(self.html) {
            let Ok(token) = token;
            match token {
                Token::StartTag(tag) => self.open(&tag)?,
                Token::EndTag(tag) => self.close(&tag.name)?,
                Token::String(text) => self.pieces(&String::from_utf8_lossy(&text.value))?,
                Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
            }
        }
        self.end_preformatted()?;
        self.end()?;
        while self.writer.in_table() {
            self.writer.end_table()?;
        }
        Ok(self.about)
    }

    /// Writes text in pieces, so that a long one is not in memory several times.
    fn pieces(&mut self, text: &str) -> Result<(), Stop> {
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.ceil_char_boundary(MAX_PIECE);
            let (piece, after) = rest.split_at(end);
            self.text(piece);
            rest = after;
            if self.preformatted.as_ref().is_some_and(|text| text.len() > MAX_PREFORMATTED) {
                self.end_preformatted()?;
                self.preformatted = Some(String::new());
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        if self.skipped.is_some() {
            return;
        }
        if self.in_title {
            let title = self.about.title.get_or_insert_default();
            if title.len() + text.len() <= MAX_TITLE {
                title.push_str(text);
            }
        } else if let Some(preformatted) = &mut self.preformatted {
            preformatted.push_str(text);
        } else {
            if let Some(heading) = self.heading_text.as_mut().filter(|heading| heading.len() < MAX_TITLE) {
                heading.push_str(text);
            }
            let bold = self.bold > 0 && self.heading.is_none();
            let style = Style { bold, italic: self.italic > 0, strike: self.strike > 0, code: self.code > 0 };
            self.writer.text_collapsed(text, style);
        }
    }

    fn open(&mut self, tag: &StartTag<()>) -> Result<(), Stop> {
        let name: &[u8] = &tag.name;
        if let Some((skipped, open)) = &mut self.skipped {
            *open += usize::from(skipped.as_slice() == name && !tag.self_closing);
            return Ok(());
        }
        if is_left_out(tag) {
            if !tag.self_closing {
                self.skipped = Some((name.into(), 1));
            }
            // Each table has its place in the list, also one that is hidden.
            if name == b"table" {
                self.layout.next();
            }
            return Ok(());
        }
        if is_block(name) {
            self.end()?;
        }
        match name {
            b"title" => self.in_title = self.about.title.is_none(),
            b"meta" if attribute(tag, "name").is_some_and(|name| name.eq_ignore_ascii_case("author")) => {
                self.about.author = attribute(tag, "content");
            }
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.heading = Some(usize::from(name[1] - b'0'));
                self.heading_text = self.about.heading.is_none().then(String::new);
            }
            b"pre" | b"listing" | b"xmp" => self.preformatted = Some(String::new()),
            b"ul" | b"menu" | b"dir" => self.lists.push(None),
            b"ol" => self.lists.push(Some(number(tag, "start").unwrap_or(1))),
            b"li" => self.open_item(tag),
            b"dd" => self.item = Some((self.lists.len(), None)),
            b"table" => {
                let is_layout = self.layout.next().unwrap_or(true);
                self.tables.push(if is_layout { Table::Layout } else { Table::Announced });
            }
            b"tr" => self.open_row()?,
            b"td" | b"th" => self.open_cell(tag)?,
            _ => self.open_inline(name, tag),
        }
        Ok(())
    }

    fn open_inline(&mut self, name: &[u8], tag: &StartTag<()>) {
        match name {
            b"br" if self.preformatted.is_some() => self.text("\n"),
            b"br" => self.writer.line_break(),
            b"img" => {
                self.writer.picture();
                if let Some(alternative) = attribute(tag, "alt") {
                    self.text(&alternative);
                }
            }
            b"a" => {
                self.writer.end_link();
                if let Some(address) = attribute(tag, "href") {
                    self.writer.begin_link(address.trim());
                }
            }
            _ => {
                if let Some(count) = self.emphasis(name) {
                    *count += 1;
                }
            }
        }
    }

    fn open_item(&mut self, tag: &StartTag<()>) {
        let level = self.lists.len().saturating_sub(1);
        let number = self.lists.last_mut().and_then(Option::as_mut).map(|next| {
            let number = number(tag, "value").unwrap_or(*next);
            *next = number.saturating_add(1);
            number
        });
        self.item = Some((level, number));
    }

    fn open_row(&mut self) -> Result<(), Stop> {
        match self.tables.last_mut() {
            Some(table @ Table::Announced) => {
                *table = Table::Begun;
                self.writer.begin_table()?;
                self.writer.begin_row()
            }
            Some(Table::Begun) => self.writer.begin_row(),
            Some(Table::Layout) | None => Ok(()),
        }
    }

    fn open_cell(&mut self, tag: &StartTag<()>) -> Result<(), Stop> {
        if self.tables.last() == Some(&Table::Announced) {
            self.open_row()?;
        }
        if self.tables.last() == Some(&Table::Begun) {
            let span = |name| number(tag, name).map_or(1, |span| span as usize);
            self.writer.begin_cell()?;
            self.writer.span(span("colspan"), span("rowspan"));
        }
        Ok(())
    }

    fn close(&mut self, name: &[u8]) -> Result<(), Stop> {
        if let Some((skipped, open)) = &mut self.skipped {
            if skipped.as_slice() == name {
                *open -= 1;
                if *open == 0 {
                    self.skipped = None;
                }
            }
            return Ok(());
        }
        match name {
            b"title" => self.in_title = false,
            b"pre" | b"listing" | b"xmp" => self.end_preformatted()?,
            b"a" => self.writer.end_link(),
            _ => {}
        }
        if is_block(name) {
            self.end()?;
        }
        match name {
            b"ul" | b"ol" | b"menu" | b"dir" => drop(self.lists.pop()),
            b"li" | b"dd" => self.item = None,
            b"tr" if self.tables.last() == Some(&Table::Begun) => self.writer.end_row()?,
            b"td" | b"th" if self.tables.last() == Some(&Table::Begun) => self.writer.end_cell()?,
            b"table" => {
                if self.tables.pop() == Some(Table::Begun) {
                    self.writer.end_table()?;
                }
            }
            _ => {
                if let Some(count) = self.emphasis(name) {
                    *count = count.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    fn emphasis(&mut self, name: &[u8]) -> Option<&mut usize> {
        match name {
            b"b" | b"strong" | b"dt" => Some(&mut self.bold),
            b"i" | b"em" | b"cite" | b"var" | b"dfn" => Some(&mut self.italic),
            b"s" | b"strike" | b"del" => Some(&mut self.strike),
            b"code" | b"kbd" | b"samp" | b"tt" => Some(&mut self.code),
            b"blockquote" => Some(&mut self.quote),
            _ => None,
        }
    }

    fn end_preformatted(&mut self) -> Result<(), Stop> {
        match self.preformatted.take() {
            Some(text) if !text.trim().is_empty() => {
                self.item = None;
                self.writer.code(text.trim_matches(['\n', '\r']))
            }
            _ => Ok(()),
        }
    }

    /// Ends the open paragraph.
    fn end(&mut self) -> Result<(), Stop> {
        if self.preformatted.is_some() {
            return Ok(());
        }
        let heading = self.heading.take();
        if let Some(text) = self.heading_text.take().filter(|text| !text.trim().is_empty()) {
            self.about.heading = Some(text);
        }
        if self.writer.is_blank() {
            return self.writer.end(Block::Paragraph);
        }
        match (heading, self.item.take()) {
            (Some(level), _) => self.writer.end(Block::Heading(level)),
            (None, Some((level, number))) => {
                let number = number.map(|number| format!("{number}."));
                self.writer.end(Block::Item { level, number: number.as_deref() })
            }
            (None, None) if self.quote > 0 => self.writer.end(Block::Quote),
            (None, None) => self.writer.end(Block::Paragraph),
        }
    }
}

/// Elements that begin and end paragraphs.
fn is_block(name: &[u8]) -> bool {
    const BLOCKS: [&str; 50] = [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "dir",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "head",
        "header",
        "hr",
        "html",
        "legend",
        "li",
        "listing",
        "main",
        "menu",
        "nav",
        "ol",
        "option",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "ul",
        "xmp",
    ];
    std::str::from_utf8(name).is_ok_and(|name| BLOCKS.binary_search(&name).is_ok())
}

/// Elements that are not text, and those that are not shown.
fn is_left_out(tag: &StartTag<()>) -> bool {
    let name: &[u8] = &tag.name;
    let never: [&[u8]; 15] = [
        b"script",
        b"style",
        b"noscript",
        b"template",
        b"svg",
        b"iframe",
        b"object",
        b"select",
        b"textarea",
        b"canvas",
        b"audio",
        b"video",
        b"noembed",
        b"noframes",
        b"datalist",
    ];
    if never.contains(&name) {
        return true;
    }
    // Elements that need no end tag, or have none, would hide what follows them.
    let ends =
        [&b"div"[..], b"span", b"section", b"table", b"ul", b"ol", b"article", b"aside", b"nav", b"footer", b"b"];
    if !ends.contains(&name) {
        return false;
    }
    let style = attribute(tag, "style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
    attribute(tag, "hidden").is_some() || style.contains("display:none") || style.contains("visibility:hidden")
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(&value.value).into_owned())
}

fn number(tag: &StartTag<()>, name: &str) -> Option<u32> {
    attribute(tag, name)?.trim().parse().ok()
}
