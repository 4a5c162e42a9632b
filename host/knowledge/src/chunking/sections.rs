//! The sections of a document: what stands below each of its headings, or its pages where it has none.

use std::ops::Range;

use serde_json::json;

use super::document::Document;
use super::headings::{Path, headings};
use super::pieces::{Places, Sizes};
use super::{CutError, Draft};

/// Sections of one document, at most: a model reads all their titles.
const MAX_SECTIONS: usize = 1_000;
/// Tokens of a section, at most. A longer one is cut.
const MAX_TOKENS: usize = 4_000;

/// A part of the text with its title.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    title: String,
    depth: u8,
    bytes: Range<usize>,
    /// How many of them are its heading.
    head: usize,
}

/// The sections of a document, each a node of a tree: `node_id`, `parent_node_id`, `title`, `depth`.
pub(crate) fn sections(document: &Document, sizes: &Sizes, stopped: impl Fn() -> bool) -> Result<Vec<Draft>, CutError> {
    let text = document.text();
    let all = headings(text);
    let (mut path, mut places, mut above) = (Path::new(&all), Places::new(text), Vec::<(u8, String)>::new());
    let limit = Sizes { size: MAX_TOKENS, overlap: 0, model: MAX_TOKENS, counter: sizes.counter.clone() };
    let mut nodes = Vec::new();
    for section in parts(document) {
        if stopped() {
            return Err(CutError::Stopped);
        }
        let body = text.get(section.bytes.clone()).unwrap_or_default();
        let cut = limit.cut_below(body, section.head, (MAX_TOKENS, MAX_TOKENS));
        for (number, (start, piece)) in cut.into_iter().enumerate() {
            if nodes.len() >= MAX_SECTIONS {
                return Err(CutError::TooMany);
            }
            let bytes = section.bytes.start + start..section.bytes.start + start + piece.len();
            let titles: Vec<String> =
                path.at(section.bytes.start).iter().map(|heading| heading.title.clone()).collect();
            let id = format!("{:04}", nodes.len() + 1);
            let title = if number == 0 { section.title.clone() } else { format!("{} ({})", section.title, number + 1) };
            // What follows a long section's first part is on its level.
            above.retain(|(depth, _)| *depth < section.depth);
            let parent = above.last().map(|(_, id)| id.clone());
            above.push((section.depth, id.clone()));
            let mut meta = document.meta(&bytes);
            meta.insert("headings".to_owned(), json!(titles));
            meta.insert("node_id".to_owned(), json!(id));
            meta.insert("parent_node_id".to_owned(), json!(parent));
            meta.insert("title".to_owned(), json!(title));
            meta.insert("depth".to_owned(), json!(section.depth));
            let start = places.character(bytes.start);
            let place = Some((start, start + piece.chars().count()));
            let tokens = sizes.counter.count(piece);
            nodes.push(Draft { text: piece.to_owned(), place, tokens, meta, embedded: None });
        }
    }
    Ok(nodes)
}

/// What stands before the first heading is a section too.
fn parts(document: &Document) -> Vec<Section> {
    let (text, all) = (document.text(), headings(document.text()));
    if all.is_empty() {
        let page = |(bytes, number, name): (Range<usize>, i32, Option<&str>)| Section {
            title: name.map_or_else(|| format!("Page {number}"), str::to_owned),
            depth: 1,
            bytes,
            head: 0,
        };
        return document.pages().map(page).collect();
    }
    let mut found = Vec::new();
    let first = all.first().map_or(text.len(), |heading| heading.at);
    if !text.get(..first).unwrap_or_default().trim().is_empty() {
        found.push(Section { title: "Beginning".to_owned(), depth: 1, bytes: 0..first, head: 0 });
    }
    for (number, heading) in all.iter().enumerate() {
        let end = all.get(number + 1).map_or(text.len(), |next| next.at);
        let (title, head) = (heading.title.clone(), heading.end.min(end) - heading.at);
        found.push(Section { title, depth: heading.level, bytes: heading.at..end, head });
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use behalf_embeddings::EstimatedTokens;

    use super::super::document::Page;
    use super::*;

    fn cut(texts: &[&str]) -> Vec<Draft> {
        let pages = texts.iter().zip(1..).map(|(text, number)| Page { number, name: None, text: (*text).to_owned() });
        let sizes = Sizes { size: 100, overlap: 0, model: 100, counter: Arc::new(EstimatedTokens) };
        sections(&Document::join(pages.collect()), &sizes, || false).expect("it is cut")
    }

    #[test]
    fn headings_make_a_tree() {
        let nodes = cut(&["Preface.\n\n# One\n\na\n\n## One a\n\nb", "## One b\n\nc\n\n# Two\n\nd"]);
        let tree: Vec<_> = nodes
            .iter()
            .map(|node| {
                let meta = |name: &str| node.meta[name].as_str().unwrap_or("-").to_owned();
                (meta("node_id"), meta("parent_node_id"), meta("title"), node.meta["page"].clone())
            })
            .collect();
        let wanted = [
            ("0001", "-", "Beginning", 1),
            ("0002", "-", "One", 1),
            ("0003", "0002", "One a", 1),
            ("0004", "0002", "One b", 2),
            ("0005", "-", "Two", 2),
        ];
        let wanted =
            wanted.map(|(id, parent, title, page)| (id.to_owned(), parent.to_owned(), title.to_owned(), json!(page)));
        assert_eq!(tree, wanted);
        assert!(nodes[2].text.starts_with("## One a") && nodes[2].text.ends_with('b'));
    }

    #[test]
    fn pages_are_the_sections_of_a_document_without_headings() {
        let nodes = cut(&["first", "second"]);
        assert_eq!(nodes.iter().map(|node| &node.meta["title"]).collect::<Vec<_>>(), ["Page 1", "Page 2"]);
    }

    #[test]
    fn a_long_section_is_cut() {
        let nodes = cut(&[&format!("# Long\n\n{}", "A sentence of some words. ".repeat(3_000))]);
        assert!(nodes.len() > 1, "{}", nodes.len());
        assert_eq!(nodes[1].meta["title"], "Long (2)");
        assert!(nodes[0].text.len() > 1_000, "a heading is no section of its own: {:?}", nodes[0]);
        assert!(nodes.iter().all(|node| node.tokens <= MAX_TOKENS));
    }
}
