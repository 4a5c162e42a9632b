//! What all packages of Office have: relationships between parts, title and author, and parts that are left out.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::pages::Pages;
use crate::unpack::{Archive, folder_of, resolved};
use crate::xml::{self, Node};

/// Most relationships of a part. A document has one for each link.
const MAX_RELATIONSHIPS: usize = 100_000;
/// Most bytes of all of them.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Most bytes of a title or an author.
const MAX_FIELD: usize = 1000;

/// Where a part refers to.
#[derive(Clone, Debug)]
pub(crate) struct Relationship {
    /// The last word of its kind, such as `footnotes`.
    pub(crate) kind: String,
    /// The name of another part, or an address outside of the file.
    pub(crate) target: String,
    pub(crate) is_external: bool,
}

/// The relationships of a part by their ids; none if it has none. The package itself is the part with the empty name.
pub(crate) fn relationships(archive: &mut Archive<'_>, part: &str) -> Result<HashMap<String, Relationship>, Failure> {
    let folder = folder_of(part);
    let file = part.rsplit('/').next().unwrap_or_default();
    let mut found = HashMap::new();
    let mut bytes = 0;
    let Some(mut xml) = xml::entry(archive, &format!("{folder}/_rels/{file}.rels"))? else { return Ok(found) };
    loop {
        match xml.next()? {
            Node::Open(element) if element.name() == "Relationship" && found.len() < MAX_RELATIONSHIPS => {
                let field = |name| element.attribute(name).unwrap_or_default();
                let is_external = field("TargetMode").eq_ignore_ascii_case("external");
                let target = field("Target");
                let target = if is_external { target } else { resolved(folder, &target) };
                let kind: String = field("Type").rsplit('/').next().unwrap_or_default().into();
                let id = field("Id");
                bytes += id.len() + kind.len() + target.len();
                if bytes > MAX_BYTES {
                    return Err(Failure::too_large("The file refers to more than a document may refer to."));
                }
                found.insert(id, Relationship { kind, target, is_external });
            }
            Node::End => return Ok(found),
            _ => {}
        }
    }
}

/// The name of the part of this kind.
pub(crate) fn part_of_kind(relationships: &HashMap<String, Relationship>, kind: &str) -> Option<String> {
    let found = relationships.values().filter(|relationship| !relationship.is_external && relationship.kind == kind);
    found.map(|relationship| relationship.target.clone()).min()
}

/// The name of the main part.
pub(crate) fn main_part(archive: &mut Archive<'_>, usual: &str) -> Result<String, Failure> {
    let package = relationships(archive, "")?;
    Ok(part_of_kind(&package, "officeDocument").unwrap_or_else(|| usual.into()))
}

/// Says the title and the author, and what is in the package and is not read.
pub(crate) fn describe(archive: &mut Archive<'_>, pages: &mut Pages<'_>) -> Result<(), Failure> {
    let left_out: [(&str, &str); 4] = [
        ("vbaproject.bin", "Macros are left out."),
        ("/embeddings/", "Embedded files are left out."),
        ("/charts/chart", "Charts are left out."),
        ("/comments", "Comments are left out."),
    ];
    for (part, sentence) in left_out {
        if archive.names().any(|name| name.contains(part) && !name.contains("/_rels/")) {
            pages.omit(sentence);
        }
    }
    if archive.names().any(|name| name.contains("/media/")) {
        pages.omit_pictures();
    }
    let package = relationships(archive, "")?;
    let part = part_of_kind(&package, "core-properties").unwrap_or_else(|| "docProps/core.xml".into());
    let Some(mut xml) = xml::entry(archive, &part)? else { return Ok(()) };
    loop {
        let field = match xml.next()? {
            Node::Open(element) if matches!(element.name(), "title" | "creator") => element.name() == "title",
            Node::End => return Ok(()),
            _ => continue,
        };
        let text = xml.text(MAX_FIELD)?;
        if field { pages.set_title(&text) } else { pages.set_author(&text) }
    }
}
