//! Pieces of so many tokens, along headings, paragraphs and rows of tables.

use std::sync::Arc;

use behalf_embeddings::TokenCounter;
use serde_json::json;
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter};

use super::document::Document;
use super::headings::{Path, headings};
use super::parts::{Part, outside, parts};
use super::{CutError, Draft, MAX_PIECES};

/// Bytes that are cut at once. Between two of these runs of pages, an attempt can be stopped; and what is kept of the structure of a
/// document while it is cut does not grow with the document.
const RUN: usize = 512 * 1024;

/// How large pieces are.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    /// Tokens of a piece, at most.
    pub(crate) size: usize,
    /// Tokens that a piece shares with the one before it, at most.
    pub(crate) overlap: usize,
    /// Tokens that the model reads.
    pub(crate) model: usize,
    /// Counts tokens.
    pub(crate) counter: Arc<dyn TokenCounter>,
}

/// The counter as the splitter wants it.
struct Counter<'a>(&'a dyn TokenCounter);

impl ChunkSizer for Counter<'_> {
    fn size(&self, chunk: &str) -> usize {
        self.0.count(chunk)
    }
}

impl Sizes {
    /// The parts of a text, each with its first byte and at most so many tokens.
    pub(super) fn cut_to<'t>(&self, text: &'t str, most: usize) -> Vec<(usize, &'t str)> {
        let most = most.max(1);
        let config = ChunkConfig::new(most).with_sizer(Counter(&*self.counter));
        // No overlap is as large as a piece.
        match config.with_overlap(self.overlap.min(most / 2)) {
            Ok(config) => MarkdownSplitter::new(config).chunk_indices(text).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// The same of a text that begins with so many bytes of headings, which stay with what follows them: the splitter alone makes a part
    /// of headings where the paragraph below them is too long to go with them whole. The first part has at most `first` tokens, the
    /// others `others`. Headings that would take more than half of a part are cut like any text.
    pub(super) fn cut_below<'t>(
        &self,
        text: &'t str,
        head: usize,
        (first, others): (usize, usize),
    ) -> Vec<(usize, &'t str)> {
        let (headings, body) = text.split_at_checked(head).unwrap_or(("", text));
        let taken = self.counter.count(headings);
        if taken == 0 || taken > first / 2 || body.trim().is_empty() {
            return self.cut_to(text, first.min(others));
        }
        let parts = self.cut_to(body, others.min(first - taken));
        let mut parts: Vec<(usize, &str)> = parts.into_iter().map(|(start, part)| (head + start, part)).collect();
        if let Some((start, part)) = parts.first_mut()
            && let Some(whole) = text.get(..*start + part.len())
        {
            (*start, *part) = (0, whole);
        }
        parts
    }

    /// Tokens of a piece, at most.
    pub(super) fn most(&self) -> usize {
        self.size.min(self.model).max(1)
    }

    /// What goes before a piece so that its vector knows what it is about: the headings above it, as many of the deepest as take a
    /// quarter of what the model reads.
    pub(super) fn prefix(&self, titles: &[&str]) -> Option<String> {
        let joined = |from: usize| titles.get(from..).unwrap_or_default().join(" > ");
        let fits = |from: &usize| self.counter.count(&joined(*from)) <= self.model / 4;
        let first = (0..titles.len()).find(fits)?;
        Some(format!("{}\n\n", joined(first)))
    }
}

/// Cuts a document. `stopped` is asked now and then.
pub(crate) fn pieces(document: &Document, sizes: &Sizes, stopped: impl Fn() -> bool) -> Result<Vec<Draft>, CutError> {
    let text = document.text();
    let headings = headings(text);
    let (mut above, mut path, mut places) = (Path::new(&headings), Path::new(&headings), Places::new(text));
    let mut found = Vec::new();
    for run in document.runs(RUN) {
        if stopped() {
            return Err(CutError::Stopped);
        }
        for part in parts((text, &run), &headings, &mut above, sizes) {
            if found.len() >= MAX_PIECES {
                return Err(CutError::TooMany);
            }
            found.push(draft(document, &part, &mut path, &mut places, sizes));
        }
    }
    Ok(found)
}

fn draft(document: &Document, part: &Part, path: &mut Path<'_>, places: &mut Places<'_>, sizes: &Sizes) -> Draft {
    let piece = document.text().get(part.bytes.clone()).unwrap_or_default();
    let mut meta = document.meta(&part.bytes);
    let above = path.at(part.below);
    let titles: Vec<&str> = above.iter().map(|heading| heading.title.as_str()).collect();
    if !titles.is_empty() {
        meta.insert("headings".to_owned(), json!(titles));
    }
    let tokens = sizes.counter.count(piece);
    let start = places.character(part.bytes.start);
    let embedded = sizes.prefix(&outside(above, part.bytes.start)).map(|prefix| prefix + piece);
    let embedded = embedded.filter(|text| sizes.counter.count(text) <= sizes.model);
    Draft { text: piece.to_owned(), place: Some((start, start + piece.chars().count())), tokens, meta, embedded }
}

/// Turns places in bytes into places in characters, from the beginning of a text to its end.
#[derive(Debug)]
pub(super) struct Places<'a> {
    text: &'a str,
    byte: usize,
    character: usize,
}

impl<'a> Places<'a> {
    /// At the beginning.
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, byte: 0, character: 0 }
    }

    /// The character at a byte. A place before the last one is counted from the beginning.
    pub(super) fn character(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.character) = (0, 0);
        }
        self.character += self.text.get(self.byte..byte).unwrap_or_default().chars().count();
        self.byte = byte;
        self.character
    }
}

#[cfg(test)]
mod tests {
    use behalf_embeddings::EstimatedTokens;

    use super::super::document::Page;
    use super::*;

    /// A word is a token.
    #[derive(Debug)]
    struct Words;

    impl TokenCounter for Words {
        fn count(&self, text: &str) -> usize {
            text.split_whitespace().count()
        }

        fn is_exact(&self) -> bool {
            true
        }
    }

    fn sizes(size: usize, overlap: usize) -> Sizes {
        Sizes { size, overlap, model: 256, counter: Arc::new(Words) }
    }

    fn document(texts: &[String]) -> Document {
        let pages = texts.iter().zip(1..).map(|(text, number)| Page { number, name: None, text: text.clone() });
        Document::join(pages.collect())
    }

    fn words(from: usize, to: usize) -> String {
        (from..to).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ")
    }

    fn table(rows: usize) -> String {
        let rows: Vec<String> = (0..rows).map(|row| format!("| r{row} | {row} |")).collect();
        format!("| name | value |\n| --- | --- |\n{}\n", rows.join("\n"))
    }

    fn cut(texts: &[String], sizes: &Sizes) -> Vec<Draft> {
        pieces(&document(texts), sizes, || false).expect("it is cut")
    }

    #[test]
    fn no_word_is_lost_and_no_piece_is_too_large() {
        let texts: Vec<String> = (0..5).map(|page| words(page * 100, page * 100 + 100)).collect();
        let found = cut(&texts, &sizes(30, 0));
        let all: Vec<&str> = found.iter().flat_map(|draft| draft.text.split_whitespace()).collect();
        assert_eq!(all.join(" "), words(0, 500));
        assert!(found.iter().all(|draft| draft.tokens <= 30 && draft.tokens > 0), "{found:?}");
    }

    #[test]
    fn neighbours_share_tokens() {
        let sentences: Vec<String> = (0..40).map(|sentence| words(sentence * 5, sentence * 5 + 5)).collect();
        let text = sentences.join(". ");
        let found = cut(&[text], &sizes(30, 10));
        assert!(found.len() > 6);
        for pair in found.windows(2) {
            let first = pair[1].text.split_whitespace().next().expect("a word");
            assert!(pair[0].text.contains(first), "{pair:?}");
        }
    }

    #[test]
    fn a_piece_says_where_it_is() {
        let pages = ["# Änfang\n\nöne two three".to_owned(), "## Teil\n\nfour five six seven".to_owned()];
        let document = document(&pages);
        let found = pieces(&document, &sizes(6, 0), || false).expect("it is cut");
        for draft in &found {
            let (start, end) = draft.place.expect("a place");
            let part: String = document.text().chars().skip(start).take(end - start).collect();
            assert_eq!(part, draft.text);
        }
        let last = found.last().expect("a piece");
        assert_eq!(last.meta["page"], 2);
        assert_eq!(last.meta["headings"], json!(["Änfang", "Teil"]));
        assert!(found[0].text.starts_with("# Änfang") && found[0].meta["page"] == 1, "{found:?}");
    }

    #[test]
    fn a_vector_knows_the_headings_above_its_piece() {
        let text = format!("# Pumps\n\n{}\n\n{}", words(0, 20), words(20, 40));
        let found = cut(&[text], &sizes(25, 0));
        assert!(found[0].embedded.is_none(), "its heading is its own: {:?}", found[0]);
        let last = found.last().expect("a piece");
        assert!(last.embedded.as_deref().is_some_and(|text| text.starts_with("Pumps\n\nw")), "{last:?}");
        // Where a piece may be as large as the model reads, the pieces leave room for their headings.
        let mut narrow = sizes(25, 0);
        narrow.model = 20;
        let text = format!("# Pumps\n\n{}\n\n{}", words(0, 18), words(20, 60));
        let found = cut(&[text], &narrow);
        assert!(found.len() > 2 && found.iter().all(|draft| draft.tokens <= 20), "{found:?}");
        for draft in &found[1..] {
            let embedded = draft.embedded.as_deref().expect("its heading stands before it");
            assert!(embedded.starts_with("Pumps\n\nw") && Words.count(embedded) <= 20, "{draft:?}");
        }
    }

    #[test]
    fn a_heading_is_no_piece_of_its_own() {
        let long = words(0, 60);
        let text = format!("# Pumps\n\n## How they work\n\n{long}\n\n## Care\n\nOil them.\n\n## More\n\n{long}");
        let found = cut(std::slice::from_ref(&text), &sizes(25, 5));
        assert!(found[0].text.starts_with("# Pumps\n\n## How they work\n\nw0 w1"), "{found:?}");
        assert_eq!(found[0].meta["headings"], json!(["Pumps", "How they work"]));
        assert!(found.iter().any(|draft| draft.text.starts_with("## More\n\nw0 w1")), "{found:?}");
        for draft in &found {
            assert!(draft.text.lines().any(|line| !line.is_empty() && !line.starts_with('#')), "{draft:?}");
            assert!(draft.tokens <= 25, "{draft:?}");
            let (start, end) = draft.place.expect("a place");
            assert_eq!(text.chars().skip(start).take(end - start).collect::<String>(), draft.text);
        }
    }

    #[test]
    fn small_sections_share_a_piece_and_a_chapter_begins_another_one() {
        let text = "# One\n\n## A\n\na b c\n\n## B\n\nd e f\n\n## C\n\ng h i\n\n# Two\n\nj\n\n# End\n";
        let found = cut(&[text.to_owned()], &sizes(12, 0));
        let texts: Vec<&str> = found.iter().map(|draft| draft.text.as_str()).collect();
        assert_eq!(texts, ["# One\n\n## A\n\na b c\n\n## B\n\nd e f", "## C\n\ng h i", "# Two\n\nj\n\n# End"]);
        assert_eq!(found[1].meta["headings"], json!(["One", "C"]));
        assert_eq!(found[1].embedded.as_deref(), Some("One\n\n## C\n\ng h i"));
        assert_eq!(cut(&["text\n\n# Last".to_owned()], &sizes(12, 0)).len(), 1);
    }

    #[test]
    fn headings_that_are_longer_than_half_a_piece_are_cut_like_text() {
        let text = format!("# {}\n\n{}", words(0, 40), words(40, 80));
        let found = cut(&[text], &sizes(16, 0));
        assert!(found.iter().all(|draft| draft.tokens <= 16), "{found:?}");
        let all: String = found.iter().map(|draft| draft.text.as_str()).collect::<Vec<_>>().join(" ");
        assert!((0..80).all(|word| all.split_whitespace().any(|found| found == format!("w{word}"))), "{all}");
    }

    #[test]
    fn a_table_that_fits_is_in_one_piece() {
        let table = table(8);
        let text = format!("{}\n\n{table}\n{}", words(0, 40), words(40, 80));
        let found = cut(&[text], &sizes(60, 0));
        let with: Vec<&Draft> = found.iter().filter(|draft| draft.text.contains("| r")).collect();
        assert_eq!(with.len(), 1, "{found:?}");
        assert!(with[0].text.contains("| name") && with[0].text.contains("| r7 | 7 |"), "{with:?}");
    }

    #[test]
    fn a_table_that_is_too_large_is_cut_between_rows() {
        let found = cut(&[table(60)], &sizes(30, 0));
        assert!(found.len() > 5);
        for draft in &found {
            for line in draft.text.lines() {
                assert!(line.starts_with('|') && line.ends_with('|'), "a row is torn: {draft:?}");
            }
        }
    }

    #[test]
    fn cutting_stops_when_it_has_to_and_nothing_gives_nothing() {
        let document = document(&[words(0, 10)]);
        assert_eq!(pieces(&document, &sizes(5, 0), || true), Err(CutError::Stopped));
        assert!(cut(&[], &sizes(5, 0)).is_empty());
        assert!(cut(&[" \n ".to_owned()], &sizes(5, 0)).is_empty());
        let estimated = Sizes { counter: Arc::new(EstimatedTokens), ..sizes(200, 50) };
        assert_eq!(cut(&[words(0, 20)], &estimated).len(), 1);
    }
}
