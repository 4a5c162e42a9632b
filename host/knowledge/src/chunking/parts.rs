//! Which parts of a text become pieces: small sections together, and the pieces of a section that is too large for one.

use std::ops::Range;

use super::headings::{Heading, Path};
use super::pieces::Sizes;

/// A piece of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bytes: Range<usize>,
    /// The place whose headings it has: where its text begins, below the headings that it begins with itself.
    pub(super) below: usize,
}

/// Headings and the text below them, up to the next heading.
#[derive(Clone, Debug)]
struct Section {
    start: usize,
    /// Where the text begins.
    body: usize,
    end: usize,
    /// The level of the highest of its headings; 0 where there is none.
    level: u8,
}

impl Section {
    fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

/// The pieces of a run of a text.
///
/// Each begins at a heading if it can. Sections go together as long as they fit, and no piece goes on from a section into one of a higher
/// level than the piece began with. Each leaves room for the headings above it in what the model reads.
pub(super) fn parts(
    (text, run): (&str, &Range<usize>),
    headings: &[Heading],
    above: &mut Path<'_>,
    sizes: &Sizes,
) -> Vec<Part> {
    let mut found = Vec::new();
    let mut left = sections(text, run, headings).into_iter().peekable();
    while let Some(mut section) = left.next() {
        let below = section.body;
        let over = above.at(below);
        let room = |titles: &[&str]| {
            let prefix = sizes.prefix(titles).map_or(0, |prefix| sizes.counter.count(&prefix));
            sizes.most().min(sizes.model.saturating_sub(prefix))
        };
        let first = room(&outside(over, section.start));
        // The sum is no less than what the whole has, since no token goes over a line.
        let mut tokens = sizes.counter.count(section.text(text));
        let pieces = if tokens > first {
            let others = room(&outside(over, usize::MAX));
            sizes.cut_below(section.text(text), section.body - section.start, (first, others))
        } else {
            while let Some(next) = left.peek()
                && next.level >= section.level
            {
                tokens += sizes.counter.count(next.text(text));
                if tokens > first {
                    break;
                }
                section.end = next.end;
                left.next();
            }
            sizes.cut_to(section.text(text), first)
        };
        found.extend(pieces.into_iter().map(|(at, piece)| {
            let bytes = section.start + at..section.start + at + piece.len();
            Part { below: below.max(bytes.start), bytes }
        }));
    }
    found
}

/// The titles of headings that are before a place.
pub(super) fn outside<'h>(above: &[&'h Heading], place: usize) -> Vec<&'h str> {
    above.iter().filter(|heading| heading.at < place).map(|heading| heading.title.as_str()).collect()
}

/// The sections of a run. Headings with nothing between them are one section's.
fn sections(text: &str, run: &Range<usize>, headings: &[Heading]) -> Vec<Section> {
    let is_blank = |bytes: Range<usize>| text.get(bytes).unwrap_or_default().trim().is_empty();
    let mut found = Vec::new();
    let mut open = Section { start: run.start, body: run.start, end: run.end, level: 0 };
    let first = headings.partition_point(|heading| heading.at < run.start);
    for heading in headings.iter().skip(first).take_while(|heading| heading.at < run.end) {
        // A heading in a quotation or a list is a part of that.
        let line = text.get(..heading.at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
        if !is_blank(line..heading.at) {
            continue;
        }
        let body = heading.end.min(run.end);
        if is_blank(open.body..heading.at) && open.level > 0 {
            (open.body, open.level) = (body, open.level.min(heading.level));
            continue;
        }
        if !is_blank(open.start..heading.at) {
            found.push(Section { end: heading.at, ..open });
        }
        open = Section { start: heading.at, body, end: run.end, level: heading.level };
    }
    found.push(open);
    found
}
