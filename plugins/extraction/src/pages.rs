//! What the component hands over: pages, and what it says of the document. The limits on both are here.

use crate::failure::{Failure, Stop};

/// Most bytes of text of all pages together. A book has about one million.
pub(crate) const MAX_TEXT: usize = 64 * 1024 * 1024;
/// Most pages of a document.
pub(crate) const MAX_PAGES: u32 = 20_000;
/// Most characters of a title, an author's or a page's name.
const MAX_NAME: usize = 200;
/// Most sentences about what was left out.
const MAX_OMITTED: usize = 20;

/// A part of the document as it is printed or shown.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Page {
    /// Its text as Markdown.
    pub text: String,
    /// The name that the document gives it.
    pub name: Option<String>,
}

/// Who takes the pages: the host, or a list in tests and in the example.
pub trait Sink {
    /// Takes the next page. False says that no more are wanted.
    fn add_page(&mut self, page: Page) -> bool;

    /// Hears how many pages are done, and how many there will be if that is known.
    fn progress(&mut self, done: u32, total: Option<u32>);
}

/// What a document is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Summary {
    /// Its format, such as `pdf`.
    pub format: &'static str,
    /// Its title, if it says one.
    pub title: Option<String>,
    /// Its author, if it says one.
    pub author: Option<String>,
    /// Pages that hold pictures and no text, by their numbers from 1 on.
    pub pictures: Vec<u32>,
    /// What was left out, each a short sentence.
    pub omitted: Vec<String>,
}

/// The pages of one document on their way to the sink.
pub(crate) struct Pages<'a> {
    sink: &'a mut dyn Sink,
    summary: Summary,
    done: u32,
    total: Option<u32>,
    /// Bytes of text so far.
    text: usize,
    /// Whether any page holds a letter, a digit or another sign.
    has_text: bool,
    has_pictures: bool,
}

impl<'a> Pages<'a> {
    /// For a document of this format, such as `pdf`.
    pub(crate) fn new(format: &'static str, sink: &'a mut dyn Sink) -> Self {
        let summary = Summary { format, ..Summary::default() };
        Self { sink, summary, done: 0, total: None, text: 0, has_text: false, has_pictures: false }
    }

    /// Hands over the next page, also if it is empty: the number of a page is its place. [`Stop`] if no more are wanted
    /// or the document is too large.
    pub(crate) fn add(&mut self, text: String, name: Option<&str>) -> Result<(), Stop> {
        self.text = self.text.saturating_add(text.len());
        if self.text > MAX_TEXT {
            return Err(Failure::too_large("The document holds more text than a document may hold.").into());
        }
        if self.done >= MAX_PAGES {
            return Err(Failure::too_large("The document has more pages than a document may have.").into());
        }
        self.done += 1;
        let text = without_controls(text);
        self.has_text |= !text.trim().is_empty();
        let wanted = self.sink.add_page(Page { text, name: name.and_then(clean_name) });
        self.sink.progress(self.done, self.total);
        if wanted { Ok(()) } else { Err(Stop::Enough) }
    }

    /// Hands over an empty page, and says that it holds pictures and no text.
    pub(crate) fn add_picture(&mut self, name: Option<&str>) -> Result<(), Stop> {
        self.summary.pictures.push(self.done.saturating_add(1));
        self.add(String::new(), name)
    }

    /// Says how many pages there will be.
    pub(crate) fn expect(&mut self, total: usize) {
        self.total = u32::try_from(total).ok();
        self.sink.progress(self.done, self.total);
    }

    /// Sets the document's title, unless it is blank or there is one.
    pub(crate) fn set_title(&mut self, title: &str) {
        self.summary.title = self.summary.title.take().or_else(|| clean_name(title));
    }

    /// Sets the document's author, unless the name is blank or there is one.
    pub(crate) fn set_author(&mut self, author: &str) {
        self.summary.author = self.summary.author.take().or_else(|| clean_name(author));
    }

    /// Says what was left out, in one short sentence. The same sentence is said once.
    pub(crate) fn omit(&mut self, sentence: &str) {
        let is_new = self.summary.omitted.iter().all(|said| said != sentence);
        if is_new && self.summary.omitted.len() < MAX_OMITTED {
            self.summary.omitted.push(sentence.into());
        }
    }

    /// Says that the document holds pictures, which are left out.
    pub(crate) fn omit_pictures(&mut self) {
        self.has_pictures = true;
        self.omit("Pictures are left out.");
    }

    /// The summary, or a failure if no page holds text. `result` is how the reader ended.
    pub(crate) fn finish(self, result: Result<(), Stop>) -> Result<Summary, Failure> {
        match result.err() {
            Some(Stop::Failed(failure)) => Err(failure),
            // What the host took is enough, whatever it is.
            Some(Stop::Enough) => Ok(self.summary),
            None if self.has_text => Ok(self.summary),
            None if self.has_pictures || !self.summary.pictures.is_empty() => {
                Err(Failure::only_pictures("The document holds pictures and no text."))
            }
            None => Err(Failure::empty("The document holds no text.")),
        }
    }
}

/// A title or a name in one line, without control characters; nothing if it is blank.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let words: Vec<&str> =
        name.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    let name: String = words.join(" ").chars().filter(|c| !is_invisible(*c)).take(MAX_NAME).collect();
    let name = name.trim();
    if name.is_empty() { None } else { Some(name.into()) }
}

/// The text without control characters other than line ends and tabs. Where one parts two characters that mean something
/// together, as `<` and a letter do, a space parts them.
fn without_controls(text: String) -> String {
    if !text.chars().any(is_unwanted) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_unwanted(c) {
            out.push(c);
        } else if out.ends_with(['<', '&', ']', '\\', '`']) {
            out.push(' ');
        }
    }
    out
}

/// Characters that no page has.
pub(crate) fn is_unwanted(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || is_bidi_control(c) || c == '\u{feff}'
}

/// Characters that show text in another order than it is stored. They can hide what a name says.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn is_invisible(c: char) -> bool {
    is_bidi_control(c) || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;
    use crate::testing::Collected;

    #[test]
    fn names_are_one_line_without_control_characters() {
        assert_eq!(clean_name(" a\u{0}b\r\n\u{202e}c\u{7f} "), Some("a b c".into()));
        assert_eq!(clean_name("\u{1}\n\t"), None);
        assert_eq!(clean_name(&"x".repeat(10_000)).map(|name| name.len()), Some(MAX_NAME));
    }

    #[test]
    fn control_characters_leave_the_text() {
        let mut sink = Collected::default();
        let mut pages = Pages::new("test", &mut sink);
        pages.add("a\u{0}\u{1b}[2Jb\tc\r\nd\u{202e}e <\u{1}b>".into(), Some("\u{7}")).expect("a small page");
        assert!(pages.finish(Ok(())).is_ok());
        assert_eq!(sink.pages, [Page { text: "a[2Jb\tc\nde < b>".into(), name: None }]);
    }

    #[test]
    fn pages_without_text_are_a_failure() {
        let mut sink = Collected::default();
        let mut pages = Pages::new("test", &mut sink);
        pages.add(" \n".into(), None).expect("a small page");
        assert_eq!(pages.finish(Ok(())).map_err(|failure| failure.reason), Err(Reason::Empty));
        let mut pages = Pages::new("test", &mut sink);
        pages.add_picture(None).expect("a small page");
        assert_eq!(pages.finish(Ok(())).map_err(|failure| failure.reason), Err(Reason::OnlyPictures));
    }

    #[test]
    fn the_host_ends_it_and_keeps_the_summary() {
        let mut sink = Collected { most: 2, ..Collected::default() };
        let mut pages = Pages::new("test", &mut sink);
        pages.set_title("First");
        pages.set_title("Second");
        assert!(pages.add("one".into(), None).is_ok());
        let end = pages.add("two".into(), None);
        assert!(matches!(end, Err(Stop::Enough)));
        assert_eq!(pages.finish(end).expect("pages were handed over").title.as_deref(), Some("First"));
    }

    #[test]
    fn too_many_pages_are_too_large() {
        let mut sink = Collected::default();
        let mut pages = Pages::new("test", &mut sink);
        let end = (0..=MAX_PAGES).try_for_each(|_| pages.add("x".into(), None));
        assert_eq!(pages.finish(end).map_err(|failure| failure.reason), Err(Reason::TooLarge));
        assert_eq!(sink.pages.len(), MAX_PAGES as usize);
    }
}
