//! `PowerPoint` files since 2007: a page for each slide, with its notes.

mod slide;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::opc;
use crate::pages::Pages;
use crate::unpack::Archive;
use crate::writer::{Block, Style, Writer};
use crate::xml::{self, Node};
use slide::Slide;

/// Most slides.
const MAX_SLIDES: usize = 10_000;
/// Most bytes of a slide's notes.
const MAX_NOTES: usize = 1024 * 1024;

const DAMAGED: Failure = Failure::damaged("The file is damaged: the slides in it are missing.");

/// Hands over the slides.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut archive = Archive::open(document)?;
    opc::describe(&mut archive, pages)?;
    let main = opc::main_part(&mut archive, "ppt/presentation.xml")?;
    let slides = slides(&mut archive, &main)?;
    pages.expect(slides.len());
    let mut writer = Writer::new(pages);
    for part in slides {
        write_slide(&mut archive, &part, &mut writer)?;
        writer.page_break()?;
    }
    Ok(())
}

/// The parts of the slides in the order in which they are shown.
fn slides(archive: &mut Archive<'_>, main: &str) -> Result<Vec<String>, Failure> {
    let relationships = opc::relationships(archive, main)?;
    let mut xml = xml::entry(archive, main)?.ok_or(DAMAGED)?;
    let mut slides = Vec::new();
    loop {
        match xml.next()? {
            Node::Open(element) if element.name() == "sldId" => {
                let target = element.prefixed("id").and_then(|id| relationships.get(&id));
                slides.extend(target.map(|target| target.target.clone()));
                if slides.len() > MAX_SLIDES {
                    return Err(Failure::too_large("The file has more slides than a document may have."));
                }
            }
            Node::End => return Ok(slides),
            _ => {}
        }
    }
}

fn write_slide(archive: &mut Archive<'_>, part: &str, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let relationships = opc::relationships(archive, part)?;
    writer.set_name(None);
    {
        let Some(mut xml) = xml::entry(archive, part)? else { return Ok(()) };
        let mut slide = Slide::new(writer, &relationships);
        loop {
            match xml.next()? {
                Node::Open(element) => {
                    if slide.open(&element)? {
                        xml.skip()?;
                    }
                }
                Node::Close(name) => slide.close(&name)?,
                Node::Text(text) => slide.text(&text),
                Node::Other => {}
                Node::End => break,
            }
        }
        slide.finish()?;
    }
    // The texts of diagrams are in parts of their own.
    let mut diagrams: Vec<&str> =
        relationships.values().filter(|other| other.kind == "diagramData").map(|other| other.target.as_str()).collect();
    diagrams.sort_unstable();
    for diagram in diagrams {
        for text in texts(archive, diagram, |_| true)? {
            writer.text(&text, Style::default());
            writer.end(Block::Item { level: 0, number: None })?;
        }
    }
    let Some(notes) = opc::part_of_kind(&relationships, "notesSlide") else { return Ok(()) };
    let notes = texts(archive, &notes, |kind| kind == "body")?;
    if !notes.is_empty() {
        writer.block("Notes:", false)?;
        for text in notes {
            writer.text(&text, Style::default());
            writer.end(Block::Paragraph)?;
        }
    }
    Ok(())
}

/// The paragraphs of a part, of the placeholders of the wanted kinds.
fn texts(archive: &mut Archive<'_>, part: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
    let Some(mut xml) = xml::entry(archive, part)? else { return Ok(Vec::new()) };
    let (mut texts, mut text, mut in_text, mut size) = (Vec::new(), String::new(), false, 0);
    let mut is_wanted = wanted("");
    loop {
        match xml.next()? {
            Node::Open(element) => match element.name() {
                "sp" => is_wanted = wanted(""),
                "ph" => is_wanted = wanted(&element.attribute("type").unwrap_or_default()),
                "t" => in_text = is_wanted,
                "br" => text.push(' '),
                _ => {}
            },
            Node::Close(name) => match &*name {
                "p" => {
                    let paragraph = std::mem::take(&mut text);
                    if !paragraph.trim().is_empty() {
                        texts.push(paragraph);
                    }
                }
                "t" => in_text = false,
                _ => {}
            },
            Node::Text(part) if in_text => {
                size += part.len();
                if size > MAX_NOTES {
                    return Err(Failure::too_large("A slide holds more text than a slide may hold."));
                }
                text.push_str(&part);
            }
            Node::End => return Ok(texts),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
