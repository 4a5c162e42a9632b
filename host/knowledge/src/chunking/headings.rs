//! The headings of a text, and which of them stand above a place in it.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// Characters of a heading that are kept; a document may make a heading of a whole paragraph.
const MAX_CHARS: usize = 200;
/// Headings of one document that are looked at.
const MAX_HEADINGS: usize = 20_000;

/// A heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heading {
    /// Where it begins, in bytes.
    pub(super) at: usize,
    /// Where it ends.
    pub(super) end: usize,
    /// 1 for a title, up to 6.
    pub(super) level: u8,
    /// Its words.
    pub(super) title: String,
}

/// The headings of a text, in their order. Those without words are none.
pub(super) fn headings(text: &str) -> Vec<Heading> {
    let mut found: Vec<Heading> = Vec::new();
    let mut open: Option<Heading> = None;
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let (at, end) = (range.start, range.end);
                open = Some(Heading { at, end, level: depth(level), title: String::new() });
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some(mut heading) = open.take() {
                    heading.title = heading.title.trim().chars().take(MAX_CHARS).collect();
                    if !heading.title.is_empty() && found.len() < MAX_HEADINGS {
                        found.push(heading);
                    }
                }
            }
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut open {
                    heading.title.push_str(&words);
                }
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(heading) = &mut open {
                    heading.title.push(' ');
                }
            }
            _ => {}
        }
    }
    found
}

fn depth(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        HeadingLevel::H3 => 3,
        HeadingLevel::H4 => 4,
        HeadingLevel::H5 => 5,
        HeadingLevel::H6 => 6,
    }
}

/// Walks through the headings of a text from its beginning to its end.
#[derive(Debug)]
pub(super) struct Path<'a> {
    left: &'a [Heading],
    above: Vec<&'a Heading>,
}

impl<'a> Path<'a> {
    /// At the beginning of the text.
    pub(super) fn new(headings: &'a [Heading]) -> Self {
        Self { left: headings, above: Vec::new() }
    }

    /// The headings that stand above a place, the highest first; one that begins there is among them. Places come in their order.
    pub(super) fn at(&mut self, place: usize) -> &[&'a Heading] {
        while let Some((next, rest)) = self.left.split_first()
            && next.at <= place
        {
            self.above.retain(|heading| heading.level < next.level);
            self.above.push(next);
            self.left = rest;
        }
        &self.above
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_the_headings_above_it() {
        let text = "Before.\n\n# A *good* title\n\ntext\n\n## Part `one`\n\ntext\n\n# Next\n\n### Deep\n\nend\n\n#\n";
        let all = headings(text);
        let titles: Vec<(u8, &str)> = all.iter().map(|heading| (heading.level, heading.title.as_str())).collect();
        assert_eq!(titles, [(1, "A good title"), (2, "Part one"), (1, "Next"), (3, "Deep")]);
        let mut path = Path::new(&all);
        let mut at = |words: &str| -> Vec<String> {
            path.at(text.find(words).expect("it is there")).iter().map(|heading| heading.title.clone()).collect()
        };
        assert!(at("Before").is_empty());
        assert_eq!(at("# A"), ["A good title"]);
        assert_eq!(at("## Part"), ["A good title", "Part one"]);
        assert_eq!(at("end"), ["Next", "Deep"]);
    }

    #[test]
    fn what_only_looks_like_a_heading_is_none() {
        assert!(headings("```\n# a comment\n```\n\n\\# text\n").is_empty());
        let long = headings(&format!("# {}\n", "word ".repeat(1_000)));
        assert_eq!(long[0].title.chars().count(), MAX_CHARS);
    }
}
