//! The content of Markdown as a reader sees it: its plain text, headings, items of lists, rows of tables and links.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// What a page's Markdown says.
#[derive(Debug, Default)]
pub(super) struct Markdown {
    /// Its text without marks, blocks and cells apart by a space.
    pub(super) plain: String,
    /// Headings with their levels.
    pub(super) headings: Vec<(u64, String)>,
    /// Items of lists with their depths; the text is what stands before a list inside of the item.
    pub(super) items: Vec<(u64, String)>,
    /// Rows of tables.
    pub(super) rows: Vec<Vec<String>>,
    /// The texts of links, and where they lead.
    pub(super) links: Vec<(String, String)>,
    /// Where the text of each open item begins, and its place in `items`; ended where its text is over.
    open_items: Vec<(usize, usize, bool)>,
    depth: u64,
}

impl Markdown {
    /// Reads `CommonMark` with the tables of GitHub.
    pub(super) fn read(text: &str) -> Self {
        let mut page = Self::default();
        let (mut starts, mut links, mut images) = (Vec::new(), Vec::new(), 0);
        for event in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
            match event {
                Event::Start(Tag::Image { .. }) => images += 1,
                Event::End(TagEnd::Image) => images -= 1,
                Event::Start(Tag::Link { dest_url, .. }) => links.push((page.plain.len(), dest_url.into_string())),
                Event::End(TagEnd::Link) => {
                    let (start, to) = links.pop().expect("it was opened");
                    page.links.push((squeeze(&page.plain[start..]), to));
                }
                Event::Start(tag) => {
                    page.open(&tag);
                    if matches!(tag, Tag::Heading { .. } | Tag::TableCell) {
                        starts.push(page.plain.len());
                    }
                }
                Event::End(tag) => page.close(tag, &mut starts),
                Event::Text(text) | Event::Code(text) if images == 0 => page.plain += &text,
                Event::SoftBreak | Event::HardBreak | Event::Rule => page.plain.push(' '),
                Event::Html(html) | Event::InlineHtml(html) if html.starts_with("<br") => page.plain.push(' '),
                _ => {}
            }
        }
        page.plain = squeeze(&page.plain);
        page
    }

    fn open(&mut self, tag: &Tag<'_>) {
        if !is_inline(tag) {
            self.plain.push(' ');
        }
        match tag {
            Tag::List(_) => {
                self.end_item();
                self.depth += 1;
            }
            Tag::Item => {
                self.open_items.push((self.plain.len(), self.items.len(), false));
                self.items.push((self.depth, String::new()));
            }
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd, starts: &mut Vec<usize>) {
        match tag {
            TagEnd::List(_) => self.depth -= 1,
            TagEnd::Item => {
                self.end_item();
                self.open_items.pop();
            }
            TagEnd::Heading(level) => {
                let start = starts.pop().expect("it was opened");
                self.headings.push((level as u64, squeeze(&self.plain[start..])));
            }
            TagEnd::TableCell => {
                let start = starts.pop().expect("it was opened");
                let cell = squeeze(&self.plain[start..]);
                self.rows.last_mut().expect("a cell is in a row").push(cell);
            }
            _ => {}
        }
        if !matches!(tag, TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough) {
            self.plain.push(' ');
        }
    }

    /// Keeps the text of the innermost item, unless a list inside of it has ended that text before.
    fn end_item(&mut self) {
        if let Some((start, place, is_ended)) = self.open_items.last_mut()
            && !std::mem::replace(is_ended, true)
        {
            self.items[*place].1 = squeeze(&self.plain[*start..]);
        }
    }
}

fn is_inline(tag: &Tag<'_>) -> bool {
    matches!(tag, Tag::Emphasis | Tag::Strong | Tag::Strikethrough)
}

/// A text with each run of white space as one space, and none at its ends.
pub(super) fn squeeze(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn markdown_is_read_as_it_is_meant() {
    let page = Markdown::read(
        "# One *two*\n\ntext with [a link](https://x.example) &amp; `code`\\*\n\n- outer\n  - inner\n\n  after\n- next\n\n| a | b |\n|---|---|\n| 1<br>2 | |\n",
    );
    assert_eq!(page.plain, "One two text with a link & code* outer inner after next a b 1 2");
    assert_eq!(page.headings, [(1, "One two".to_owned())]);
    assert_eq!(page.items, [(1, "outer".to_owned()), (2, "inner".to_owned()), (1, "next".to_owned())]);
    assert_eq!(page.rows, [vec!["a".to_owned(), "b".to_owned()], vec!["1 2".to_owned(), String::new()]]);
    assert_eq!(page.links, [("a link".to_owned(), "https://x.example".to_owned())]);
}
