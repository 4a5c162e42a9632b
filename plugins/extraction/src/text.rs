//! Plain text, and how the bytes of any text become characters.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::document::Document;
use crate::failure::{Failure, Stop};
use crate::pages::Pages;
use crate::writer::{Writer, escape, escape_begin};

/// Most bytes of a text. A line of it is in memory several times.
pub(crate) const MAX_FILE: u64 = 32 * 1024 * 1024;
/// Bytes at the beginning that decide whether a file is a text.
const HEAD: usize = 64 * 1024;
/// Most bytes of a paragraph: less than a page has, so that a page ends at the end of a line.
const MAX_PARAGRAPH: usize = 12_000;
/// Bytes that a guess of the encoding looks at.
const GUESSED: usize = 1024 * 1024;

/// Hands over a plain text so that it reads as it is. Form feeds end pages.
pub(crate) fn extract(document: &mut Document<'_>, pages: &mut Pages<'_>) -> Result<(), Stop> {
    let text = read(document, MAX_FILE)?;
    let mut writer = Writer::new(pages);
    let mut is_first = true;
    for page in text.split('\u{c}') {
        if !is_first {
            writer.page_break()?;
        }
        is_first = false;
        write_paragraphs(page, false, &mut writer)?;
    }
    writer.end_part()
}

/// Writes a text so that Markdown shows it as it is, cut at empty lines and at [`MAX_PARAGRAPH`]. In mails, `>` at the
/// beginning of a line is a quote, as it is in Markdown.
pub(crate) fn write_paragraphs(text: &str, has_quotes: bool, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
    let mut paragraph = Paragraph { text: String::new(), is_quote: false, has_quotes };
    // Older systems end lines by a carriage return alone.
    for line in text.lines().flat_map(|line| line.trim_end_matches('\r').split('\r')) {
        let mut rest = line.trim_end();
        if rest.is_empty() {
            paragraph.end(writer)?;
        }
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(end_of_piece(rest));
            if paragraph.text.len() + piece.len() > MAX_PARAGRAPH {
                paragraph.end(writer)?;
            }
            paragraph.add(piece, writer)?;
            rest = after.trim_start();
        }
    }
    paragraph.end(writer)
}

/// Where a line is cut that is longer than a paragraph may be.
fn end_of_piece(line: &str) -> usize {
    if line.len() <= MAX_PARAGRAPH {
        return line.len();
    }
    let most = line.floor_char_boundary(MAX_PARAGRAPH);
    line[..most].rfind(' ').filter(|at| *at > MAX_PARAGRAPH / 2).unwrap_or(most)
}

/// A paragraph of a text, as Markdown.
struct Paragraph {
    text: String,
    /// Whether its last line is quoted.
    is_quote: bool,
    has_quotes: bool,
}

impl Paragraph {
    /// Adds a line that is not blank.
    fn add(&mut self, line: &str, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
        let (begin, line) = line.split_at(line.len() - line.trim_start().len());
        let (quotes, line) = line.split_at(if self.has_quotes { quotes_in(line) } else { 0 });
        // Markdown takes a line below a quote for a part of it.
        if self.is_quote && quotes.is_empty() {
            self.end(writer)?;
        }
        self.is_quote = !quotes.is_empty();
        // A first line that is far to the right would be code.
        if !self.text.is_empty() && quotes.is_empty() {
            self.text.push_str(begin);
        }
        let mut escaped = String::with_capacity(line.len());
        escape(line.trim_start(), &mut escaped);
        self.text.push_str(quotes);
        self.text.push_str(&escape_begin(&escaped));
        self.text.push('\n');
        Ok(())
    }

    fn end(&mut self, writer: &mut Writer<'_, '_>) -> Result<(), Stop> {
        self.is_quote = false;
        writer.block(std::mem::take(&mut self.text).trim_end(), false)
    }
}

/// The bytes at the beginning of a line that say that it is quoted.
fn quotes_in(line: &str) -> usize {
    if line.starts_with('>') { line.len() - line.trim_start_matches(['>', ' ']).len() } else { 0 }
}

/// All of the document as text, at most `most` bytes.
pub(crate) fn read(document: &mut Document<'_>, most: u64) -> Result<String, Failure> {
    Ok(decode(document.read_all(most)?, None))
}

/// Bytes as text: by a byte order mark, as UTF-8 if they are that, as `label` says, or by a guess.
pub(crate) fn decode(bytes: Vec<u8>, label: Option<&str>) -> String {
    if let Some((encoding, _)) = Encoding::for_bom(&bytes) {
        return encoding.decode(&bytes).0.into_owned();
    }
    if let Some(encoding) = utf16_of(&bytes) {
        return encoding.decode(&bytes).0.into_owned();
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.into_bytes();
            let named = label.and_then(|label| Encoding::for_label(label.as_bytes()));
            // It is not all UTF-8; that it nearly is can be seen at its length.
            let encoding = named.filter(|encoding| *encoding != UTF_8).unwrap_or_else(|| guess(&bytes));
            encoding.decode_without_bom_handling(&bytes).0.into_owned()
        }
    }
}

/// Whether the beginning of a file is that of a text. A text has no control characters but a few.
pub(crate) fn is_text(head: &[u8]) -> bool {
    let head = &head[..head.len().min(HEAD)];
    if Encoding::for_bom(head).is_some() || utf16_of(head).is_some() {
        return true;
    }
    let odd = head.iter().filter(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31 | 127)).count();
    !head.contains(&0) && odd * 100 <= head.len()
}

/// UTF-16 without a mark: every second byte of a text in Latin letters is zero.
fn utf16_of(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = &bytes[..bytes.len().min(512)];
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
    if head.len() < 4 || even.max(odd) * 10 < half * 7 || even.min(odd) * 10 > half {
        return None;
    }
    Some(if odd > even { UTF_16LE } else { UTF_16BE })
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    let head = &bytes[..bytes.len().min(GUESSED)];
    detector.feed(head, head.len() == bytes.len());
    detector.guess(None, Utf8Detection::Allow)
}

#[cfg(test)]
mod tests {
    use crate::failure::Reason;
    use crate::testing::extract;

    #[test]
    fn encodings_are_found() {
        let text = "Füße, Grüße, naïve café — das ist ein längerer deutscher Satz über Öl und Äpfel.";
        let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let utf16be: Vec<u8> = [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        let latin = encoding_rs::WINDOWS_1252.encode(text).0.into_owned();
        for bytes in [text.as_bytes().to_vec(), utf16, utf16be, latin, [b"\xef\xbb\xbf", text.as_bytes()].concat()] {
            let (summary, pages) = extract(&bytes, "txt").expect("a text");
            assert_eq!((summary.format, pages[0].text.as_str()), ("txt", text));
        }
        let japanese = "これは日本語の文章です。文字コードを調べます。";
        let bytes = encoding_rs::SHIFT_JIS.encode(japanese).0.into_owned();
        assert_eq!(extract(&bytes, "txt").expect("a text").1[0].text, japanese);
    }

    #[test]
    fn form_feeds_end_pages() {
        let pages = extract(b"one\n\n\ntwo\n\x0c\x0cthree", "").expect("a text").1;
        let texts: Vec<&str> = pages.iter().map(|page| page.text.as_str()).collect();
        assert_eq!(texts, ["one\n\ntwo", "", "three"]);
    }

    #[test]
    fn text_is_not_taken_for_markdown() {
        let text = "* a star\n# a hash\n> more\n1. one\nsnake_case and *this*\n\n    * code *\n    x\n<script>\n===\n\n\
            [a]: javascript:b\n| a | b |\n|---|---|\n\tx\r<\u{1}b>";
        let pages = extract(text.as_bytes(), "txt").expect("a text").1;
        let expected = "\\* a star\n\\# a hash\n\\> more\n1\\. one\nsnake_case and \\*this\\*\n\n\\* code *\n    x\n\
            \\<script>\n\\===\n\n[a\\]: javascript:b\n| a | b |\n\\|---|---|\n\tx\n\\<b>";
        assert_eq!(pages[0].text, expected);
    }

    #[test]
    fn long_texts_without_empty_lines_are_cut_at_ends_of_lines() {
        let line = "some words of a long text <b> and more of them\n";
        let (_, pages) = extract(line.repeat(200_000).as_bytes(), "txt").expect("a text");
        assert!(pages.len() > 400 && pages.iter().all(|page| page.text.len() < 24_000), "{}", pages.len());
        assert!(pages.iter().all(|page| page.text.starts_with("some words") && page.text.ends_with("of them")));
        assert_eq!(pages.iter().map(|page| page.text.matches("\\<b>").count()).sum::<usize>(), 200_000);
        // One line, with and without words; the first ends where a sign would be parted from what it escapes.
        for line in ["\\<b>".repeat(2_000_000), "words and ".repeat(900_000)] {
            let (_, pages) = extract(line.as_bytes(), "txt").expect("a text");
            assert!(pages.iter().all(|page| page.text.chars().count() <= 24_000));
            assert!(pages.iter().all(|page| !page.text.replace("\\\\", "").replace("\\<", "").contains('<')));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_unknown() {
        let bytes: Vec<u8> = (0..4096_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        assert_eq!(extract(&bytes, "txt").map_err(|failure| failure.reason), Err(Reason::UnknownFormat));
        assert_eq!(extract(b"", "txt").map_err(|failure| failure.reason), Err(Reason::Empty));
        assert_eq!(extract(b" \n\t ", "md").map_err(|failure| failure.reason), Err(Reason::Empty));
    }
}
