//! Word documents since 2007, as a stream: a paragraph is written when it ends.
//!
//! undoc, the library for this, builds the whole document in memory (469 MB for a packed file of 2 MB), knows no pages
//! as Word last laid them out, and reads tables inside of tables anew for each level.

mod numbering;
mod styles;
mod walker;

use std::collections::HashMap;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::opc;
use crate::pages::Pages;
use crate::unpack::Archive;
use crate::writer::Writer;
use crate::xml::{self, Node};
use numbering::Numbering;
use styles::Styles;
use walker::{About, Next, Walker};

/// Most bytes of all notes.
const MAX_NOTES: usize = 16 * 1024 * 1024;
/// Most bytes of one note.
const MAX_NOTE: usize = 100_000;

const DAMAGED: Failure = Failure::damaged("The file is damaged: the document in it is missing.");

/// Hands over a Word document.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut archive = Archive::open(document)?;
    opc::describe(&mut archive, pages)?;
    let main = opc::main_part(&mut archive, "word/document.xml")?;
    let relationships = opc::relationships(&mut archive, &main)?;
    let part = |kind, usual: &str| opc::part_of_kind(&relationships, kind).unwrap_or_else(|| usual.into());
    if relationships.values().any(|relationship| matches!(relationship.kind.as_str(), "header" | "footer")) {
        pages.omit("Headers and footers are left out.");
    }
    let styles = Styles::read(&mut archive, &part("styles", "word/styles.xml"))?;
    let numbering = Numbering::read(&mut archive, &part("numbering", "word/numbering.xml"))?;
    let footnotes = notes(&mut archive, &part("footnotes", "word/footnotes.xml"))?;
    let endnotes = notes(&mut archive, &part("endnotes", "word/endnotes.xml"))?;
    let sections = section_begins(&mut archive, &main)?;
    let about = About { relationships, styles, numbering, footnotes, endnotes, sections };
    let mut walker = Walker::new(Writer::new(pages), about);
    let mut xml = xml::entry(&mut archive, &main)?.ok_or(DAMAGED)?;
    loop {
        match xml.next()? {
            Node::Open(element) => match walker.open(&element)? {
                Next::Inside => {}
                Next::After => xml.skip()?,
            },
            Node::Close(name) => walker.close(&name)?,
            Node::Text(text) => walker.text(&text),
            Node::Other => {}
            Node::End => return walker.finish(),
        }
    }
}

/// For each section but the first, whether it begins on a page of its own; the last one first.
fn section_begins(archive: &mut Archive<'_>, part: &str) -> Result<Vec<bool>, Failure> {
    let mut sections = Vec::new();
    let mut xml = xml::entry(archive, part)?.ok_or(DAMAGED)?;
    let mut begins_page = true;
    loop {
        match xml.next()? {
            Node::Open(element) => match element.name() {
                "sectPr" => begins_page = true,
                "type" => {
                    let kind = element.attribute("val");
                    begins_page = !matches!(kind.as_deref(), Some("continuous" | "nextColumn"));
                }
                _ => {}
            },
            // The kind of a section says how that section begins, and stands at its end.
            Node::Close(name) if name == "sectPr" => sections.push(begins_page),
            Node::End => break,
            _ => {}
        }
    }
    let mut sections: Vec<bool> = sections.into_iter().skip(1).collect();
    sections.reverse();
    Ok(sections)
}

/// The texts of footnotes or endnotes by their ids.
fn notes(archive: &mut Archive<'_>, part: &str) -> Result<HashMap<String, String>, Failure> {
    let mut notes = HashMap::new();
    let Some(mut xml) = xml::entry(archive, part)? else { return Ok(notes) };
    let (mut id, mut text, mut in_text, mut all) = (None, String::new(), false, 0);
    loop {
        match xml.next()? {
            Node::Open(element) => match element.name() {
                "footnote" | "endnote" => {
                    // Separators are drawn lines.
                    id = element.attribute("id").filter(|_| element.attribute("type").is_none());
                    text.clear();
                }
                "t" => in_text = true,
                "tab" | "br" | "p" => text.push(' '),
                _ => {}
            },
            Node::Close(name) => match &*name {
                "footnote" | "endnote" => {
                    all += text.len();
                    if all > MAX_NOTES {
                        return Err(Failure::too_large("The document holds more text than a document may hold."));
                    }
                    if let Some(id) = id.take() {
                        let words: Vec<&str> = text.split_whitespace().collect();
                        notes.insert(id, words.join(" "));
                    }
                }
                "t" => in_text = false,
                _ => {}
            },
            Node::Text(part) if in_text && text.len() + part.len() <= MAX_NOTE => text.push_str(&part),
            Node::End => return Ok(notes),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
