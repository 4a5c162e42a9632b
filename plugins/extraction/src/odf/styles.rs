//! What the styles of a file of `LibreOffice` say: emphasis, page breaks, numbered lists, and hidden sheets.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::unpack::Archive;
use crate::writer::Style;
use crate::xml::{self, Node};

/// Most styles. Documents have some hundreds.
const MAX_STYLES: usize = 20_000;
/// Most styles that are based on each other.
const MAX_BASES: usize = 20;

#[derive(Clone, Debug, Default)]
struct TextStyle {
    parent: Option<String>,
    bold: Option<bool>,
    italic: Option<bool>,
    strike: Option<bool>,
    page_before: Option<bool>,
    page_after: Option<bool>,
    is_hidden: bool,
}

/// The styles by their names.
#[derive(Debug, Default)]
pub(super) struct Styles {
    texts: HashMap<String, TextStyle>,
    /// For each list style, the levels that are numbered, from 1 on.
    numbered: HashMap<String, Vec<usize>>,
}

impl Styles {
    /// Adds the styles of a part, which are before its text.
    pub(super) fn read(&mut self, archive: &mut Archive<'_>, part: &str) -> Result<(), Failure> {
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(()) };
        let (mut name, mut list) = (String::new(), String::new());
        loop {
            match xml.next()? {
                Node::Open(element) => match element.name() {
                    "body" => return Ok(()),
                    "style" if self.texts.len() < MAX_STYLES => {
                        name = element.attribute("name").unwrap_or_default();
                        let parent = element.attribute("parent-style-name");
                        self.texts.insert(name.clone(), TextStyle { parent, ..TextStyle::default() });
                    }
                    "text-properties" => {
                        let Some(style) = self.texts.get_mut(&name) else { continue };
                        let weight = element.attribute("font-weight");
                        style.bold =
                            weight.map(|weight| weight == "bold" || weight.parse::<u32>().is_ok_and(|w| w >= 600));
                        style.italic = element.attribute("font-style").map(|value| value != "normal");
                        style.strike = element.attribute("text-line-through-style").map(|value| value != "none");
                    }
                    "paragraph-properties" => {
                        let Some(style) = self.texts.get_mut(&name) else { continue };
                        style.page_before = element.attribute("break-before").map(|value| value == "page");
                        style.page_after = element.attribute("break-after").map(|value| value == "page");
                    }
                    "table-properties" => {
                        let Some(style) = self.texts.get_mut(&name) else { continue };
                        style.is_hidden = element.attribute("display").as_deref() == Some("false");
                        style.page_before = element.attribute("break-before").map(|value| value == "page");
                    }
                    "list-style" => list = element.attribute("name").unwrap_or_default(),
                    "list-level-style-number" if self.numbered.len() < MAX_STYLES => {
                        let level = element.number("level").unwrap_or(1);
                        if element.attribute("num-format").is_some_and(|format| !format.is_empty()) {
                            let levels = self.numbered.entry(list.clone()).or_default();
                            if levels.len() < 10 {
                                levels.push(level);
                            }
                        }
                    }
                    _ => {}
                },
                Node::End => return Ok(()),
                _ => {}
            }
        }
    }

    fn chain(&self, name: &str) -> impl Iterator<Item = &TextStyle> {
        let first = self.texts.get(name);
        let next = |style: &&TextStyle| style.parent.as_ref().and_then(|parent| self.texts.get(parent));
        std::iter::successors(first, next).take(MAX_BASES)
    }

    /// How text of this style looks, on top of what is around it.
    pub(super) fn emphasis(&self, name: &str, around: Style) -> Style {
        let find = |part: fn(&TextStyle) -> Option<bool>| self.chain(name).find_map(part);
        Style {
            bold: find(|style| style.bold).unwrap_or(around.bold),
            italic: find(|style| style.italic).unwrap_or(around.italic),
            strike: find(|style| style.strike).unwrap_or(around.strike),
            code: false,
        }
    }

    /// Whether a page begins before a paragraph or a table of this style.
    pub(super) fn breaks_before(&self, name: &str) -> bool {
        self.chain(name).find_map(|style| style.page_before).unwrap_or(false)
    }

    /// Whether a page ends after a paragraph of this style.
    pub(super) fn breaks_after(&self, name: &str) -> bool {
        self.chain(name).find_map(|style| style.page_after).unwrap_or(false)
    }

    pub(super) fn is_hidden(&self, name: &str) -> bool {
        self.texts.get(name).is_some_and(|style| style.is_hidden)
    }

    /// Whether a list of this style has numbers at a level, from 1 on.
    pub(super) fn is_numbered(&self, list: &str, level: usize) -> bool {
        self.numbered.get(list).is_some_and(|levels| levels.contains(&level))
    }

    pub(super) fn is_code(name: &str) -> bool {
        name.starts_with("Preformatted")
    }

    pub(super) fn is_quote(name: &str) -> bool {
        name.starts_with("Quotations") || name.starts_with("Quote")
    }
}
