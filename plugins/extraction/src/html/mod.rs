//! HTML: tags in, Markdown out, with no tree in between.
//!
//! A tree would have to be bounded in depth and in time, because both grow with what a hostile file nests; htmd, the
//! library for this, calls itself for each level. Here an element inside of another costs one number. Scripts, styles
//! and what is hidden are left out, and nothing that the text refers to is looked at.

mod layout;
mod walker;

use crate::document::Document;
use crate::failure::Stop;
use crate::pages::Pages;
use crate::text;
use crate::writer::Writer;
use walker::Walker;

/// Most bytes of a file. The text between two tags is in memory several times.
const MAX_FILE: u64 = 32 * 1024 * 1024;
/// Most bytes at the beginning in which the name of the encoding stands.
const ENCODING: usize = 4096;

/// Hands over an HTML file.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let head = document.head(ENCODING)?;
    let label = encoding_of(&String::from_utf8_lossy(&head));
    let html = text::decode(document.read_all(MAX_FILE)?, label.as_deref());
    let mut writer = Writer::new(pages);
    let about = write(&html, &mut writer)?;
    for title in [about.title, about.heading].into_iter().flatten() {
        writer.pages.set_title(&title);
    }
    about.author.iter().for_each(|author| writer.pages.set_author(author));
    writer.end_part()
}

/// What a file of HTML says of itself.
#[derive(Debug, Default)]
pub(crate) struct About {
    pub(crate) title: Option<String>,
    pub(crate) author: Option<String>,
    /// Its first heading.
    pub(crate) heading: Option<String>,
}

/// Writes HTML as Markdown.
pub(crate) fn write(html: &str, writer: &mut Writer<'_, '_>) -> Result<About, Stop> {
    Walker::new(html, writer).walk()
}

/// The name of the encoding in `<meta charset="…">`, or in the XML declaration.
pub(crate) fn encoding_of(head: &str) -> Option<String> {
    let lower = head.to_ascii_lowercase();
    let at = ["charset=", "encoding="].into_iter().filter_map(|key| Some(lower.find(key)? + key.len())).min()?;
    let value = lower.get(at..)?.trim_start_matches(['"', '\'', ' ']);
    let end = value.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':' | '.'));
    Some(value[..end.unwrap_or(value.len())].into())
}

#[cfg(test)]
mod tests;
