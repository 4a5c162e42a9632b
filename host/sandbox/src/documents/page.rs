//! What is read out of a document: its pages, and what it says of itself. The component is not trusted to keep its own promises about
//! them, so texts are cleaned here as well.

use std::time::Duration;

use super::bindings;
use super::failure::Refusal;

/// Characters of a title, of an author and of a page's name.
const MAX_NAME: usize = 200;
/// Characters of a sentence about what was left out.
const MAX_SENTENCE: usize = 300;
/// Sentences about what was left out.
const MAX_OMITTED: usize = 20;
/// Letters of the name of a format.
const MAX_FORMAT: usize = 16;

/// A part of a document as it is printed or shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its number, from 1 on.
    pub number: u32,
    /// The name that the document gives it, in one line: a sheet's, a slide's or a chapter's.
    pub name: Option<String>,
    /// Its text as Markdown, without control characters other than line ends and tabs.
    pub text: String,
    /// How many pages there will be, as far as the component knows.
    pub total: Option<u32>,
}

impl Page {
    /// A page whose text and name come from a stranger, as a server that reads pictures.
    pub fn cleaned(number: u32, name: Option<&str>, text: String) -> Self {
        Self { number, name: name.and_then(one_line_name), text: without_controls(text), total: None }
    }
}

/// What a document is, and what reading it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its format by its bytes, such as `pdf`: a short word in small letters.
    pub format: String,
    /// Its title, in one line, if it says one.
    pub title: Option<String>,
    /// Its author, in one line, if it says one.
    pub author: Option<String>,
    /// The numbers of the pages that hold pictures and no text, in order.
    pub pictures: Vec<u32>,
    /// What was left out, each a short sentence.
    pub omitted: Vec<String>,
    /// How many pages were handed over.
    pub pages: u32,
    /// Bytes of their texts.
    pub text_bytes: usize,
    /// The processor time that it took.
    pub processor_time: Duration,
    /// The most memory that the component had, in bytes.
    pub memory_bytes: usize,
}

impl Summary {
    /// What the component says, checked. What the reading cost is filled in by who measured it.
    pub(super) fn checked(said: bindings::Summary, pages: u32) -> Result<Self, Refusal> {
        let is_format = (1..=MAX_FORMAT).contains(&said.format.len())
            && said.format.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if !is_format {
            return Err(Refusal::Crashed);
        }
        let mut pictures = said.pictures;
        pictures.retain(|number| (1..=pages).contains(number));
        pictures.sort_unstable();
        pictures.dedup();
        let omitted = said.omitted.iter().filter_map(|sentence| one_line(sentence, MAX_SENTENCE));
        Ok(Self {
            format: said.format,
            title: said.title.as_deref().and_then(one_line_name),
            author: said.author.as_deref().and_then(one_line_name),
            pictures,
            omitted: omitted.take(MAX_OMITTED).collect(),
            pages,
            text_bytes: 0,
            processor_time: Duration::ZERO,
            memory_bytes: 0,
        })
    }
}

/// A name in one line, without control characters; nothing if it is blank.
fn one_line_name(text: &str) -> Option<String> {
    one_line(text, MAX_NAME)
}

fn one_line(text: &str, most: usize) -> Option<String> {
    let mut line = String::new();
    let (mut room, mut is_first) = (most, true);
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let space = if std::mem::take(&mut is_first) { None } else { Some(' ') };
        for c in space.into_iter().chain(word.chars().filter(|c| !is_order(*c))).take(room) {
            line.push(c);
            room -= 1;
        }
    }
    let line = line.trim();
    if line.is_empty() { None } else { Some(line.to_owned()) }
}

/// A text without control characters other than line ends and tabs. A database refuses some of them, and terminals obey others.
fn without_controls(mut text: String) -> String {
    let is_unwanted = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_order(c);
    if text.contains(is_unwanted) {
        text.retain(|c| !is_unwanted(c));
    }
    text
}

/// Characters that show a text in another order than it is stored, which can hide what it says.
fn is_order(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(format: &str) -> bindings::Summary {
        bindings::Summary {
            format: format.to_owned(),
            title: Some(" A\u{0}\r\n \u{202e}title ".to_owned()),
            author: Some("\u{1}\u{7f}".to_owned()),
            pictures: vec![3, 0, 2, 2, 4],
            omitted: vec!["x".repeat(1_000); 50],
        }
    }

    #[test]
    fn what_the_component_says_is_bounded_and_in_one_line() {
        let summary = Summary::checked(said("pdf"), 3).expect("a format");
        assert_eq!((summary.title.as_deref(), summary.author), (Some("A title"), None));
        assert_eq!(summary.pictures, [2, 3], "pages that there are, each once");
        assert_eq!(summary.omitted, vec!["x".repeat(MAX_SENTENCE); MAX_OMITTED]);
        for format in ["", "PDF", "a b", "p\u{0}", "seventeenletters0"] {
            assert_eq!(Summary::checked(said(format), 3).err(), Some(Refusal::Crashed), "{format}");
        }
        assert_eq!(one_line_name(&"word ".repeat(1_000)).map(|name| name.chars().count() <= MAX_NAME), Some(true));
    }

    #[test]
    fn control_characters_leave_a_text() {
        assert_eq!(without_controls("a\u{0}\u{1b}[2Jb\tc\r\nd\u{202e}e\u{85}".to_owned()), "a[2Jb\tc\nde");
    }
}
