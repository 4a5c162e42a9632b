//! Pieces of so many tokens, along headings, paragraphs and rows of tables.

use std::ops::Range;
use std::sync::Arc;

use behalf_embeddings::TokenCounter;
use serde_json::json;
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter};

use super::document::Document;
use super::headings::{Heading, Path, headings};
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
    /// The parts of a text, each with its first byte.
    pub(super) fn cut<'t>(&self, text: &'t str) -> Vec<(usize, &'t str)> {
        let size = self.size.min(self.model).max(1);
        let config = ChunkConfig::new(size).with_sizer(Counter(&*self.counter));
        // No overlap is as large as a piece.
        match config.with_overlap(self.overlap.min(size / 2)) {
            Ok(config) => MarkdownSplitter::new(config).chunk_indices(text).collect(),
            Err(_) => Vec::new(),
        }
    }
}

/// Cuts a document. `stopped` is asked now and then.
pub(crate) fn pieces(document: &Document, sizes: &Sizes, stopped: impl Fn() -> bool) -> Result<Vec<Draft>, CutError> {
    let text = document.text();
    let headings = headings(text);
    let mut path = Path::new(&headings);
    let mut places = Places::new(text);
    let mut found = Vec::new();
    for run in document.runs(RUN) {
        if stopped() {
            return Err(CutError::Stopped);
        }
        for (start, piece) in sizes.cut(text.get(run.clone()).unwrap_or_default()) {
            if found.len() >= MAX_PIECES {
                return Err(CutError::TooMany);
            }
            let bytes = run.start + start..run.start + start + piece.len();
            found.push(draft(document, (piece, bytes), &mut path, &mut places, sizes));
        }
    }
    Ok(found)
}

fn draft(
    document: &Document,
    (piece, bytes): (&str, Range<usize>),
    path: &mut Path<'_>,
    places: &mut Places<'_>,
    sizes: &Sizes,
) -> Draft {
    let mut meta = document.meta(&bytes);
    let above = path.at(bytes.start);
    let titles: Vec<&str> = above.iter().map(|heading| heading.title.as_str()).collect();
    if !titles.is_empty() {
        meta.insert("headings".to_owned(), json!(titles));
    }
    let tokens = sizes.counter.count(piece);
    let start = places.character(bytes.start);
    let embedded = with_headings(piece, above, bytes.start).filter(|text| sizes.counter.count(text) <= sizes.model);
    Draft { text: piece.to_owned(), place: Some((start, start + piece.chars().count())), tokens, meta, embedded }
}

/// A piece below its headings, so that its vector knows what it is about; none where it has no other headings than its own.
fn with_headings(piece: &str, above: &[&Heading], start: usize) -> Option<String> {
    let outside: Vec<&str> =
        above.iter().filter(|heading| heading.at < start).map(|heading| heading.title.as_str()).collect();
    (!outside.is_empty()).then(|| format!("{}\n\n{piece}", outside.join(" > ")))
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
        let mut narrow = sizes(25, 0);
        narrow.model = 20;
        let text = format!("# Pumps\n\n{}\n\n{}", words(0, 18), words(20, 40));
        let found = cut(&[text], &narrow);
        assert!(
            found.iter().all(|draft| draft.tokens <= 20 && draft.embedded.is_none()),
            "there is no room: {found:?}"
        );
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
