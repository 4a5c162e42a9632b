//! What the styles of a Word document say: headings, lists, quotes, code and page breaks.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::unpack::Archive;
use crate::xml::{self, Node};

/// Most styles. Documents have some hundreds.
const MAX_STYLES: usize = 5_000;
/// Most styles that are based on each other.
const MAX_BASES: usize = 20;

/// What a paragraph style says.
#[derive(Clone, Debug, Default)]
pub(super) struct ParagraphStyle {
    name: String,
    based_on: Option<String>,
    /// From 0 on; 9 is text.
    pub(super) outline: Option<usize>,
    pub(super) list: Option<String>,
    pub(super) list_level: Option<usize>,
    pub(super) page_before: Option<bool>,
}

/// The styles by their ids.
#[derive(Debug, Default)]
pub(super) struct Styles(HashMap<String, ParagraphStyle>);

impl Styles {
    pub(super) fn read(archive: &mut Archive<'_>, part: &str) -> Result<Self, Failure> {
        let mut styles = HashMap::new();
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(Self::default()) };
        let mut id = None;
        let mut style = ParagraphStyle::default();
        loop {
            match xml.next()? {
                Node::Open(element) => {
                    let value = || element.attribute("val");
                    match element.name() {
                        "style" => {
                            id = element.attribute("styleId");
                            style = ParagraphStyle::default();
                        }
                        "name" => style.name = value().unwrap_or_default().to_lowercase(),
                        "basedOn" => style.based_on = value(),
                        "outlineLvl" => style.outline = element.number("val"),
                        "numId" => style.list = value(),
                        "ilvl" => style.list_level = element.number("val"),
                        "pageBreakBefore" => style.page_before = Some(is_on(value().as_deref())),
                        _ => {}
                    }
                }
                Node::Close(name) if name == "style" && styles.len() < MAX_STYLES => {
                    if let Some(id) = id.take() {
                        styles.insert(id, std::mem::take(&mut style));
                    }
                }
                Node::End => return Ok(Self(styles)),
                _ => {}
            }
        }
    }

    /// The style and those that it is based on, the nearest first.
    fn chain(&self, id: &str) -> impl Iterator<Item = &ParagraphStyle> {
        let first = self.0.get(id);
        let next = |style: &&ParagraphStyle| style.based_on.as_ref().and_then(|base| self.0.get(base));
        std::iter::successors(first, next).take(MAX_BASES)
    }

    /// The style with what it takes from those that it is based on.
    pub(super) fn style(&self, id: &str) -> ParagraphStyle {
        let mut all = ParagraphStyle::default();
        for style in self.chain(id) {
            all.outline = all.outline.or(style.outline);
            all.list = all.list.or_else(|| style.list.clone());
            all.list_level = all.list_level.or(style.list_level);
            all.page_before = all.page_before.or(style.page_before);
        }
        all
    }

    /// The level of the heading that the style is, from 1 on. Word's own names are English in all languages.
    pub(super) fn heading(&self, id: &str) -> Option<usize> {
        self.chain(id).find_map(|style| match style.name.strip_prefix("heading ") {
            Some(level) => level.trim().parse().ok(),
            None => (style.name == "title").then_some(1),
        })
    }

    pub(super) fn is_quote(&self, id: &str) -> bool {
        self.chain(id).any(|style| matches!(style.name.as_str(), "quote" | "intense quote" | "block text"))
    }

    pub(super) fn is_code(&self, id: &str) -> bool {
        let names = ["source code", "html preformatted", "preformatted text", "code", "code block"];
        self.chain(id).any(|style| names.contains(&style.name.as_str()))
    }
}

/// Whether a switch such as `<w:b/>` is on.
pub(super) fn is_on(value: Option<&str>) -> bool {
    !matches!(value, Some("0" | "false" | "off" | "none"))
}
