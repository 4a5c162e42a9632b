//! The text of a source: its pages, joined by an empty line.

use std::ops::Range;

use serde_json::{Map, Value, json};

/// Between two pages.
const JOINT: &str = "\n\n";

/// A page of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its number, from 1 on.
    pub(crate) number: i32,
    /// What the document calls it.
    pub(crate) name: Option<String>,
    /// Its text, as Markdown.
    pub(crate) text: String,
}

/// The text of a source, and where its pages are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    text: String,
    pages: Vec<Place>,
}

/// A page in the joined text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    number: i32,
    name: Option<String>,
    bytes: Range<usize>,
}

impl Document {
    /// Joins pages, which come in their order.
    pub(crate) fn join(pages: Vec<Page>) -> Self {
        let mut document = Self::default();
        for page in pages {
            if !document.text.is_empty() {
                document.text.push_str(JOINT);
            }
            let start = document.text.len();
            document.text.push_str(&page.text);
            let bytes = start..document.text.len();
            document.pages.push(Place { number: page.number, name: page.name, bytes });
        }
        document
    }

    /// The joined text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Runs of whole pages, each of this many bytes at most. A larger page is cut at the ends of lines, or of characters where it has
    /// none.
    pub(super) fn runs(&self, most: usize) -> Vec<Range<usize>> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for page in &self.pages {
            match runs.last_mut() {
                Some(run) if page.bytes.end - run.start <= most => run.end = page.bytes.end,
                _ => self.cut(page.bytes.clone(), most, &mut runs),
            }
        }
        runs
    }

    fn cut(&self, mut left: Range<usize>, most: usize, runs: &mut Vec<Range<usize>>) {
        while left.len() > most {
            let mut end = left.start + most;
            while !self.text.is_char_boundary(end) {
                end -= 1;
            }
            let head = self.text.get(left.start..end).unwrap_or_default();
            let end = head.rfind('\n').map_or(end, |line| left.start + line + 1);
            if end <= left.start {
                break;
            }
            runs.push(left.start..end);
            left.start = end;
        }
        runs.push(left);
    }

    /// The bytes of each page, with its number and its name.
    pub(super) fn pages(&self) -> impl Iterator<Item = (Range<usize>, i32, Option<&str>)> {
        self.pages.iter().map(|page| (page.bytes.clone(), page.number, page.name.as_deref()))
    }

    /// What is known of a part of the text by its pages: `page` is the first, `pages` the first and the last where there are more, and
    /// `page_name` is how the document calls the first.
    pub(super) fn meta(&self, bytes: &Range<usize>) -> Map<String, Value> {
        let mut meta = Map::new();
        let from = self.pages.partition_point(|page| page.bytes.end <= bytes.start);
        let to = self.pages.partition_point(|page| page.bytes.start < bytes.end);
        let Some(first) = self.pages.get(from) else { return meta };
        meta.insert("page".to_owned(), json!(first.number));
        if let Some(last) =
            to.checked_sub(1).and_then(|last| self.pages.get(last)).filter(|last| last.number > first.number)
        {
            meta.insert("pages".to_owned(), json!([first.number, last.number]));
        }
        if let Some(name) = &first.name {
            meta.insert("page_name".to_owned(), json!(name));
        }
        meta
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(texts: &[&str]) -> Document {
        let pages = texts.iter().zip(1..).map(|(text, number)| Page {
            number,
            name: (number == 2).then(|| "Second".to_owned()),
            text: (*text).to_owned(),
        });
        Document::join(pages.collect())
    }

    #[test]
    fn a_part_knows_its_pages() {
        let document = document(&["one", "two", "three"]);
        assert_eq!(document.text(), "one\n\ntwo\n\nthree");
        let of = |bytes: Range<usize>| Value::Object(document.meta(&bytes));
        assert_eq!(of(0..3), json!({"page": 1}));
        assert_eq!(of(5..8), json!({"page": 2, "page_name": "Second"}));
        assert_eq!(of(1..6), json!({"page": 1, "pages": [1, 2]}));
        assert_eq!(of(6..15), json!({"page": 2, "pages": [2, 3], "page_name": "Second"}));
    }

    #[test]
    fn runs_have_all_pages_once() {
        let document = document(&["one", "two", "a long third page", "four"]);
        let runs = document.runs(8);
        let texts: Vec<&str> = runs.iter().map(|run| &document.text()[run.clone()]).collect();
        assert_eq!(texts, ["one\n\ntwo", "a long t", "hird pag", "e\n\nfour"]);
        assert!(self::document(&[]).runs(8).is_empty());
        let document = self::document(&["ab\ncd\nefghijkäöü", "x"]);
        let runs = document.runs(7);
        let texts: Vec<&str> = runs.iter().map(|run| &document.text()[run.clone()]).collect();
        assert_eq!(texts, ["ab\ncd\n", "efghijk", "äöü", "x"]);
        assert_eq!(self::document(&["äö"]).runs(1).len(), 1, "a character is not cut");
    }
}
