//! Files of `LibreOffice`: texts (odt), sheets (ods) and slides (odp).

mod cells;
mod formulas;
mod styles;
mod walker;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;
use crate::unpack::Archive;
use crate::writer::Writer;
use crate::xml::{self, Node};
use styles::Styles;
use walker::{Next, Walker};

/// Most bytes of a title or an author.
const MAX_FIELD: usize = 1000;

const DAMAGED: Failure = Failure::damaged("The file is damaged: the document in it is missing.");

/// Hands over a text or slides.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut archive = open(document, pages)?;
    let mut styles = Styles::default();
    styles.read(&mut archive, "styles.xml")?;
    styles.read(&mut archive, "content.xml")?;
    let formulas = formulas::read(&mut archive)?;
    let mut walker = Walker::new(Writer::new(pages), styles, formulas);
    let mut xml = xml::entry(&mut archive, "content.xml")?.ok_or(DAMAGED)?;
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

/// Hands over sheets.
pub(crate) fn extract_sheets(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut archive = open(document, pages)?;
    let mut styles = Styles::default();
    styles.read(&mut archive, "content.xml")?;
    let mut xml = xml::entry(&mut archive, "content.xml")?.ok_or(DAMAGED)?;
    cells::write(&mut xml, &styles, pages)
}

/// Opens the package, and says its title, its author and what is left out.
fn open<'a>(document: &mut Document<'a>, pages: &mut Pages<'_>) -> Result<Archive<'a>, Stop> {
    let mut archive = Archive::open(document)?;
    if is_encrypted(&mut archive)? {
        return Err(Failure::encrypted("The file needs a password.").into());
    }
    for (part, sentence) in [
        ("basic/", "Macros are left out."),
        ("scripts/", "Macros are left out."),
        ("object ", "Embedded objects other than formulas are left out."),
    ] {
        if archive.names().any(|name| name.starts_with(part)) {
            pages.omit(sentence);
        }
    }
    if archive.names().any(|name| name.starts_with("pictures/")) {
        pages.omit_pictures();
    }
    describe(&mut archive, pages)?;
    Ok(archive)
}

/// The manifest says how each part of the package is encrypted.
fn is_encrypted(archive: &mut Archive<'_>) -> Result<bool, Failure> {
    let Some(mut xml) = xml::entry(archive, "META-INF/manifest.xml")? else { return Ok(false) };
    loop {
        match xml.next()? {
            Node::Open(element) if element.name() == "encryption-data" => return Ok(true),
            Node::End => return Ok(false),
            _ => {}
        }
    }
}

fn describe(archive: &mut Archive<'_>, pages: &mut Pages<'_>) -> Result<(), Failure> {
    let Some(mut xml) = xml::entry(archive, "meta.xml")? else { return Ok(()) };
    loop {
        let is_title = match xml.next()? {
            Node::Open(element) => match element.name() {
                "title" => true,
                "initial-creator" | "creator" => false,
                _ => continue,
            },
            Node::End => return Ok(()),
            _ => continue,
        };
        let text = xml.text(MAX_FIELD)?;
        if is_title { pages.set_title(&text) } else { pages.set_author(&text) }
    }
}

#[cfg(test)]
mod tests;
