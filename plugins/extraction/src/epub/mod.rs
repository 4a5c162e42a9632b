//! Books: the chapters in the order in which they are read, each with its name.

use std::collections::HashMap;

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::html;
use crate::pages::{Pages, clean_name};
use crate::text;
use crate::unpack::{Archive, folder_of, resolved};
use crate::writer::Writer;
use crate::xml::{self, Node};

/// Most chapters, and most names of chapters.
const MAX_CHAPTERS: usize = 10_000;
/// Most bytes of a name.
const MAX_NAME: usize = 1000;

const DAMAGED: Failure = Failure::damaged("The file is damaged: the book in it is missing.");

/// Hands over the chapters.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let mut archive = Archive::open(document)?;
    if is_encrypted(&mut archive)? {
        return Err(Failure::encrypted("The book can only be read with its shop's key.").into());
    }
    let package = package_of(&mut archive)?;
    let book = Book::read(&mut archive, &package)?;
    book.titles.first().iter().for_each(|title| pages.set_title(title));
    book.authors.first().iter().for_each(|author| pages.set_author(author));
    let mut names = HashMap::new();
    for contents in &book.contents {
        read_names(&mut archive, contents, &mut names)?;
    }
    let mut writer = Writer::new(pages);
    for chapter in &book.chapters {
        let Some(bytes) = archive.bytes(chapter)? else { continue };
        let label = html::encoding_of(&String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]));
        let html = text::decode(bytes, label.as_deref());
        writer.set_name(names.get(chapter).cloned());
        html::write(&html, &mut writer)?;
        writer.end_part()?;
    }
    Ok(())
}

/// Whether more than fonts is encrypted.
fn is_encrypted(archive: &mut Archive<'_>) -> Result<bool, Failure> {
    let Some(mut xml) = xml::entry(archive, "META-INF/encryption.xml")? else { return Ok(false) };
    let mut reads_text = false;
    loop {
        match xml.next()? {
            Node::Open(element) if element.name() == "CipherReference" => {
                let target = element.attribute("URI").unwrap_or_default().to_lowercase();
                reads_text |= [".xhtml", ".html", ".htm", ".xml"].iter().any(|end| target.ends_with(end));
            }
            Node::End => return Ok(reads_text),
            _ => {}
        }
    }
}

/// The name of the part that describes the book.
fn package_of(archive: &mut Archive<'_>) -> Result<String, Failure> {
    let mut xml = xml::entry(archive, "META-INF/container.xml")?.ok_or(DAMAGED)?;
    loop {
        match xml.next()? {
            Node::Open(element) if element.name() == "rootfile" => {
                return Ok(resolved("", &element.attribute("full-path").ok_or(DAMAGED)?));
            }
            Node::End => return Err(DAMAGED),
            _ => {}
        }
    }
}

#[derive(Debug, Default)]
struct Book {
    titles: Vec<String>,
    authors: Vec<String>,
    /// Parts in the order in which they are read.
    chapters: Vec<String>,
    /// Parts that name the chapters.
    contents: Vec<String>,
}

impl Book {
    fn read(archive: &mut Archive<'_>, package: &str) -> Result<Self, Failure> {
        let mut book = Self::default();
        let mut parts: HashMap<String, String> = HashMap::new();
        let mut xml = xml::entry(archive, package)?.ok_or(DAMAGED)?;
        loop {
            let is_title = match xml.next()? {
                Node::Open(element) => match element.name() {
                    "title" => true,
                    "creator" => false,
                    "item" if parts.len() < MAX_CHAPTERS => {
                        let field = |name| element.attribute(name).unwrap_or_default();
                        let part = part_of(package, &field("href"));
                        let names = field("properties").split(' ').any(|property| property == "nav")
                            || field("media-type") == "application/x-dtbncx+xml";
                        if names {
                            book.contents.push(part.clone());
                        }
                        parts.insert(field("id"), part);
                        continue;
                    }
                    "itemref" if book.chapters.len() < MAX_CHAPTERS => {
                        let part = element.attribute("idref").and_then(|id| parts.get(&id));
                        book.chapters.extend(part.cloned());
                        continue;
                    }
                    _ => continue,
                },
                Node::End => break,
                _ => continue,
            };
            let text = xml.text(MAX_NAME)?;
            let texts = if is_title { &mut book.titles } else { &mut book.authors };
            if texts.len() < 10 {
                texts.push(text);
            }
        }
        if book.chapters.is_empty() { Err(DAMAGED) } else { Ok(book) }
    }
}

/// The name of a part that another part refers to by an address.
fn part_of(from: &str, address: &str) -> String {
    let address = address.split('#').next().unwrap_or_default();
    resolved(folder_of(from), &percent_decoded(address))
}

fn percent_decoded(address: &str) -> String {
    let mut bytes = Vec::with_capacity(address.len());
    let mut rest = address.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Adds the names of chapters from a table of contents: of EPUB 2 (ncx) or of EPUB 3 (nav). The first name of a chapter
/// is its own, the later ones are those of its sections.
fn read_names(archive: &mut Archive<'_>, part: &str, names: &mut HashMap<String, String>) -> Result<(), Failure> {
    let Some(mut xml) = xml::entry(archive, part)? else { return Ok(()) };
    let mut label = String::new();
    let mut in_label = false;
    let mut target = None;
    loop {
        match xml.next()? {
            Node::Open(element) => match element.name() {
                "navLabel" | "a" => {
                    label.clear();
                    in_label = true;
                    target = element.attribute("href");
                }
                "content" => {
                    let address = element.attribute("src").unwrap_or_default();
                    add_name(names, part_of(part, &address), &label);
                }
                _ => {}
            },
            Node::Close(name) => match &*name {
                "navLabel" => in_label = false,
                "a" => {
                    in_label = false;
                    if let Some(address) = target.take() {
                        add_name(names, part_of(part, &address), &label);
                    }
                }
                _ => {}
            },
            Node::Text(text) if in_label && label.len() + text.len() <= MAX_NAME => label.push_str(&text),
            Node::End => return Ok(()),
            _ => {}
        }
    }
}

fn add_name(names: &mut HashMap<String, String>, part: String, label: &str) {
    if let Some(name) = clean_name(label).filter(|_| names.len() < MAX_CHAPTERS) {
        names.entry(part).or_insert(name);
    }
}

#[cfg(test)]
mod tests;
