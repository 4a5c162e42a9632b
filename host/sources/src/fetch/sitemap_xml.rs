//! Reads a sitemap: which pages of a site it names, or which further sitemaps.
//!
//! It is a list of addresses in a flat document, read piece by piece. No entity is replaced but the five of XML and characters by their
//! number, and nothing is loaded from anywhere.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, Event};

/// Elements in elements. A sitemap has three levels, and those of pictures and videos one more.
const MAX_DEPTH: usize = 8;
/// Bytes of one address, more than any that is taken.
const MAX_ADDRESS: usize = 8 * 1024;

/// What a sitemap names, in its order, as it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sitemap {
    /// Pages.
    Pages(Vec<String>),
    /// Further sitemaps.
    Sitemaps(Vec<String>),
}

/// Whose address is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pages,
    Sitemaps,
}

/// Reads at most so many addresses. None where it is no sitemap; what is wrong after its beginning ends the list.
pub(super) fn read(bytes: &[u8], most: usize) -> Option<Sitemap> {
    let mut reader = Reader::from_reader(bytes);
    let mut list = List { kind: None, depth: 0, address: None, found: Vec::new() };
    while list.found.len() < most {
        let Ok(event) = reader.read_event() else { break };
        if !list.take(&event) {
            break;
        }
    }
    let List { kind, found, .. } = list;
    Some(match kind? {
        Kind::Pages => Sitemap::Pages(found),
        Kind::Sitemaps => Sitemap::Sitemaps(found),
    })
}

struct List {
    kind: Option<Kind>,
    depth: usize,
    /// The address that is being read, within `loc`.
    address: Option<String>,
    found: Vec<String>,
}

impl List {
    /// Whether more may follow.
    fn take(&mut self, event: &Event<'_>) -> bool {
        match event {
            Event::Start(start) => {
                self.depth += 1;
                let name = start.local_name();
                match (self.depth, name.as_ref()) {
                    (1, b"urlset") => self.kind = Some(Kind::Pages),
                    (1, b"sitemapindex") => self.kind = Some(Kind::Sitemaps),
                    (1, _) => return false,
                    (3, b"loc") => self.address = Some(String::new()),
                    _ => {}
                }
                self.depth <= MAX_DEPTH
            }
            Event::End(_) => {
                if self.depth == 3 {
                    let address = self.address.take().map(|text| text.trim().to_owned());
                    self.found.extend(address.filter(|text| !text.is_empty()));
                }
                self.depth = self.depth.saturating_sub(1);
                self.depth > 0
            }
            Event::Text(text) => text.decode().is_ok_and(|text| self.add(&text)),
            Event::CData(text) => text.decode().is_ok_and(|text| self.add(&text)),
            Event::GeneralRef(reference) => character(reference).is_some_and(|c| self.add(c.encode_utf8(&mut [0; 4]))),
            Event::Eof => false,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => true,
        }
    }

    fn add(&mut self, text: &str) -> bool {
        let Some(address) = &mut self.address else { return true };
        address.push_str(text);
        address.len() <= MAX_ADDRESS
    }
}

/// The character that a reference stands for; none where it is an entity of the document's own.
fn character(reference: &BytesRef<'_>) -> Option<char> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character);
    }
    match reference.decode().ok()?.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn pages_and_sitemaps_are_told_apart() {
        let pages = r#"<?xml version="1.0" encoding="UTF-8"?><!-- made by hand -->
            <urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="urn:x">
              <url><loc> https://a.example/?a=1&amp;b=%20&#x41; </loc><lastmod>2026-01-01</lastmod>
                <image:image><image:loc>https://a.example/picture.png</image:loc></image:image></url>
              <url><loc><![CDATA[https://a.example/two]]></loc></url><url><loc/></url><url><loc></loc></url>
            </urlset>"#;
        let wanted = texts(&["https://a.example/?a=1&b=%20A", "https://a.example/two"]);
        assert_eq!(read(pages.as_bytes(), 10), Some(Sitemap::Pages(wanted.clone())));
        assert_eq!(read(pages.as_bytes(), 1), Some(Sitemap::Pages(wanted[..1].to_vec())));
        let index = "<s:sitemapindex xmlns:s='x'><s:sitemap><s:loc>https://a.example/1.xml</s:loc></s:sitemap></s:sitemapindex>";
        assert_eq!(read(index.as_bytes(), 10), Some(Sitemap::Sitemaps(texts(&["https://a.example/1.xml"]))));
    }

    #[test]
    fn what_is_no_sitemap_is_none_and_what_is_wrong_ends_it() {
        for other in ["", "text", "<html><body><loc>x</loc></body></html>", "{\"urlset\": 1}", "<?xml", "\u{0}"] {
            assert_eq!(read(other.as_bytes(), 10), None, "{other}");
        }
        let after = |more: &str| read(format!("<urlset><url><loc>a</loc></url>{more}").as_bytes(), 10);
        let one = Some(Sitemap::Pages(texts(&["a"])));
        let deep = format!("<url>{}", "<x>".repeat(1_000_000));
        let long = format!("<url><loc>{}</loc></url>", "x".repeat(1_000_000));
        for wrong in ["", "</url>", "<url><loc>b&own;</loc></url>", "<url><loc>b", "<", &deep, &long] {
            assert_eq!(after(wrong), one, "{wrong:.40}");
        }
        let laughs = r#"<!DOCTYPE d [<!ENTITY a "x"><!ENTITY b SYSTEM "file:///etc/passwd">]><urlset><url><loc>&b;</loc></url></urlset>"#;
        assert_eq!(read(laughs.as_bytes(), 10), Some(Sitemap::Pages(Vec::new())));
    }
}
