//! Formulas, which a file of `LibreOffice` holds in parts of their own, as `MathML`. They are written in a line.

use std::collections::HashMap;

use crate::failure::Failure;
use crate::unpack::{Archive, folder_of};
use crate::xml::{self, Node, Xml};

/// Most formulas of a file.
const MAX_FORMULAS: usize = 2000;
/// Most bytes of a formula's text.
const MAX_FORMULA: usize = 4000;

/// The texts of all formulas, by the folders of their parts in small letters.
pub(super) fn read(archive: &mut Archive<'_>) -> Result<HashMap<String, String>, Failure> {
    let is_object = |name: &&str| name.ends_with("/content.xml");
    let names: Vec<String> = archive.names().filter(is_object).take(MAX_FORMULAS).map(str::to_owned).collect();
    let mut formulas = HashMap::new();
    for name in names {
        let Some(mut xml) = xml::entry(archive, &name)? else { continue };
        if let Some(formula) = formula(&mut xml)? {
            formulas.insert(folder_of(&name).into(), formula);
        }
    }
    Ok(formulas)
}

/// The folder of the part that an address names, as in [`read`].
pub(super) fn folder_of_address(address: &str) -> String {
    address.trim_start_matches("./").trim_end_matches('/').to_lowercase()
}

/// The text of a formula; nothing if the part is something else.
fn formula(xml: &mut Xml<'_>) -> Result<Option<String>, Failure> {
    let mut text = String::new();
    // For each open element: its name, how many it holds so far, and what ends it.
    let mut open: Vec<(String, usize, String)> = Vec::new();
    loop {
        let mut skips = false;
        match xml.next()? {
            Node::Open(element) => {
                let name = element.name();
                if open.is_empty() && name != "math" {
                    return Ok(None);
                }
                skips = name.starts_with("annotation");
                if !skips {
                    let (begin, end) = match open.last_mut() {
                        Some((parent, count, _)) => {
                            *count += 1;
                            around(parent, *count)
                        }
                        None => ("", ""),
                    };
                    let own = if name == "msqrt" { ("√{", "}") } else { ("", "") };
                    text.push_str(begin);
                    text.push_str(own.0);
                    open.push((name.into(), 0, [own.1, end].concat()));
                }
            }
            Node::Close(_) => {
                if let Some((_, _, end)) = open.pop() {
                    text.push_str(&end);
                }
            }
            Node::Text(part) if text.len() + part.len() <= MAX_FORMULA => text.push_str(part.trim()),
            Node::End => return Ok(Some(text).filter(|text| !text.is_empty())),
            _ => {}
        }
        if skips {
            xml.skip()?;
        }
    }
}

/// What stands around the first, second or third part of an element.
fn around(parent: &str, count: usize) -> (&'static str, &'static str) {
    match (parent, count) {
        ("mfrac", 1) => ("(", ")"),
        ("mfrac", 2) => ("/(", ")"),
        ("msup" | "mover", 2) | ("msubsup" | "munderover", 3) => ("^{", "}"),
        ("msub" | "munder" | "msubsup" | "munderover", 2) => ("_{", "}"),
        _ => ("", ""),
    }
}
