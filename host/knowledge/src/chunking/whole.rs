//! A document as one item.

use std::collections::BTreeSet;

use serde_json::{Map, json};

use super::document::Document;
use super::headings::{Path, headings};
use super::parts::parts;
use super::pieces::Sizes;
use super::{CutError, Draft};

/// Characters of one item, at most. Postgres indexes the words of about a million bytes.
const MAX_CHARS: usize = 1_000_000;

/// Bytes that the beginning of a document is looked for in, at most.
const HEAD: usize = 64 * 1024;

/// The item of a document. Its vector is that of its beginning, as much as the model reads. None for an empty document.
pub(crate) fn whole(document: &Document, sizes: &Sizes) -> Result<Option<Draft>, CutError> {
    let text = document.text().trim();
    if text.is_empty() {
        return Ok(None);
    }
    let end = text.chars().count();
    if end > MAX_CHARS {
        return Err(CutError::TooLong(MAX_CHARS));
    }
    let mut meta = Map::new();
    let pages: BTreeSet<i32> = document.pages().map(|(_, number, _)| number).collect();
    if let (Some(first), Some(last)) = (pages.first(), pages.last()) {
        meta.insert("page".to_owned(), json!(first));
        meta.insert("pages".to_owned(), json!([first, last]));
    }
    let start = document.text().chars().take_while(|c| c.is_whitespace()).count();
    let tokens = sizes.counter.count(text);
    let embedded = beginning(text, sizes);
    Ok(Some(Draft { text: text.to_owned(), place: Some((start, start + end)), tokens, meta, embedded }))
}

/// The beginning of a text, as long as the model reads it.
fn beginning(text: &str, sizes: &Sizes) -> Option<String> {
    let mut end = text.len().min(HEAD);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let (text, whole) = (text.get(..end)?, Sizes { size: sizes.model, overlap: 0, ..sizes.clone() });
    let headings = headings(text);
    let first = parts((text, &(0..text.len())), &headings, &mut Path::new(&headings), &whole).into_iter().next()?;
    text.get(first.bytes).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use behalf_embeddings::EstimatedTokens;

    use super::super::document::Page;
    use super::*;

    #[test]
    fn a_document_is_one_item_with_the_vector_of_its_beginning() {
        let text = "A sentence of some words. ".repeat(200);
        let pages = [1, 2].map(|number| Page { number, name: None, text: text.clone() });
        let sizes = Sizes { size: 100, overlap: 0, model: 50, counter: Arc::new(EstimatedTokens) };
        let item = whole(&Document::join(pages.to_vec()), &sizes).expect("it fits").expect("it is not empty");
        assert_eq!(item.meta["pages"], json!([1, 2]));
        let beginning = item.embedded.expect("a beginning");
        assert!(item.text.starts_with(&beginning) && beginning.len() < 400, "{beginning}");
        let titled = Page { number: 1, name: None, text: format!("# Title\n\n{text}") };
        let item = whole(&Document::join(vec![titled]), &sizes).expect("it fits").expect("it is not empty");
        assert!(item.embedded.is_some_and(|text| text.starts_with("# Title\n\nA sentence") && text.len() > 100));
        let empty = Document::join(vec![Page { number: 1, name: None, text: "\n".to_owned() }]);
        assert_eq!(whole(&empty, &sizes), Ok(None));
        let large = Document::join(vec![Page { number: 1, name: None, text: "x".repeat(MAX_CHARS + 1) }]);
        assert_eq!(whole(&large, &sizes), Err(CutError::TooLong(MAX_CHARS)));
    }
}
