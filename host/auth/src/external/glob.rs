//! Patterns of addresses as GoTrue reads them: `*` is any text without `.` and `/`, `**` any text, `?` one character but those
//! two, `[a-z]`, `[!abc]`, `{one,two}`, and `\` before a character that means itself.
//!
//! One rule is stricter: a `*` or `**` that begins in the scheme or the host of an address ends there, unless the pattern ends
//! with it. Otherwise `https://**.example.com/**` would lead to `https://elsewhere.org/.example.com/`.

use std::iter::Peekable;
use std::str::Chars;

/// Alternatives of one pattern. `{a,b}{c,d}` has four; a pattern with more is refused.
const MAX_ALTERNATIVES: usize = 64;

/// Characters that `*` and `?` do not match.
const SEPARATORS: [char; 2] = ['.', '/'];

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Char(char),
    /// `?`
    One,
    /// `*`
    Within,
    /// `**`
    Across,
    /// `[a-z]` and `[!abc]`, as ranges.
    Class {
        not: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern: its alternatives.
#[derive(Clone, Debug)]
pub(crate) struct Glob(Vec<Vec<Part>>);

impl Part {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Char(own) => *own == c,
            Self::One | Self::Within => !SEPARATORS.contains(&c),
            Self::Across => true,
            Self::Class { not, ranges } => ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *not,
        }
    }

    fn repeats(&self) -> bool {
        matches!(self, Self::Within | Self::Across)
    }
}

impl Glob {
    /// Reads a pattern; `None` where it is none.
    pub(crate) fn parse(pattern: &str) -> Option<Self> {
        let mut rest = pattern.chars().peekable();
        let mut all = sequence(&mut rest, 0)?;
        all.iter_mut().for_each(merge_repetitions);
        rest.next().is_none().then_some(Self(all))
    }

    /// Whether the pattern matches all of `text`. `host_end` is where the host of the address ends, in bytes.
    pub(crate) fn matches(&self, text: &str, host_end: usize) -> bool {
        self.0.iter().any(|parts| matches(parts, text, host_end))
    }
}

/// Makes one repetition of those that follow each other: a second one could go on where the first must end.
fn merge_repetitions(parts: &mut Vec<Part>) {
    parts.dedup_by(|next, kept| {
        let both = next.repeats() && kept.repeats();
        if both && *next == Part::Across {
            *kept = Part::Across;
        }
        both
    });
}

/// The alternatives of what stands up to the end, or within braces up to a `,` or `}` that is not read.
fn sequence(rest: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Vec<Vec<Part>>> {
    let mut all: Vec<Vec<Part>> = vec![Vec::new()];
    while let Some(&c) = rest.peek() {
        if depth > 0 && matches!(c, ',' | '}') {
            break;
        }
        rest.next();
        let one = match c {
            '*' if rest.next_if_eq(&'*').is_some() => Part::Across,
            '*' => Part::Within,
            '?' => Part::One,
            '\\' => Part::Char(rest.next()?),
            '[' => class(rest)?,
            '{' => {
                all = product(&all, &alternatives(rest, depth + 1)?)?;
                continue;
            }
            c => Part::Char(c),
        };
        for parts in &mut all {
            parts.push(one.clone());
        }
    }
    Some(all)
}

/// What stands in braces, of which the first was read.
fn alternatives(rest: &mut Peekable<Chars<'_>>, depth: usize) -> Option<Vec<Vec<Part>>> {
    if depth > 8 {
        return None;
    }
    let mut all = Vec::new();
    loop {
        all.extend(sequence(rest, depth)?);
        match rest.next()? {
            ',' if all.len() <= MAX_ALTERNATIVES => {}
            '}' => return Some(all),
            _ => return None,
        }
    }
}

fn product(all: &[Vec<Part>], more: &[Vec<Part>]) -> Option<Vec<Vec<Part>>> {
    if all.len() * more.len() > MAX_ALTERNATIVES {
        return None;
    }
    Some(all.iter().flat_map(|first| more.iter().map(|then| [first.as_slice(), then].concat())).collect())
}

/// A class, of which the bracket was read: one range, or characters.
fn class(rest: &mut Peekable<Chars<'_>>) -> Option<Part> {
    let not = rest.next_if_eq(&'!').is_some();
    let mut ranges = Vec::new();
    loop {
        let low = match rest.next()? {
            ']' if !ranges.is_empty() => return Some(Part::Class { not, ranges }),
            ']' => return None,
            '\\' => rest.next()?,
            c => c,
        };
        if rest.next_if_eq(&'-').is_some() {
            let high = rest.next().filter(|high| *high != ']' && low <= *high)?;
            ranges.push((low, high));
        } else {
            ranges.push((low, low));
        }
    }
}

/// Follows all ways through the pattern at once, so its cost is at most the product of both lengths.
fn matches(parts: &[Part], text: &str, host_end: usize) -> bool {
    let mut reached = vec![false; parts.len() + 1];
    enter(parts, &mut reached, 0);
    for (at, c) in text.char_indices() {
        let mut next = vec![false; parts.len() + 1];
        let mut stays = Vec::new();
        for (index, part) in parts.iter().enumerate().filter(|(index, _)| reached.get(*index) == Some(&true)) {
            if !part.fits(c) {
                continue;
            }
            if !part.repeats() {
                enter(parts, &mut next, index + 1);
            } else if index + 1 == parts.len() || at + c.len_utf8() != host_end {
                stays.push(index);
            } else {
                // The host ends after this character, and with it what a repetition may match.
                enter(parts, &mut next, index + 1);
            }
        }
        for index in stays {
            enter(parts, &mut next, index);
        }
        if !next.contains(&true) {
            return false;
        }
        reached = next;
    }
    reached.last() == Some(&true)
}

/// Marks a place in the pattern, and the places behind repetitions, which may be empty.
fn enter(parts: &[Part], reached: &mut [bool], from: usize) {
    for index in from..=parts.len() {
        if let Some(place) = reached.get_mut(index) {
            *place = true;
        }
        if !parts.get(index).is_some_and(Part::repeats) {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, text: &str) -> bool {
        let host = text.find("://").map_or(text.len(), |at| at + 3);
        let end = text.get(host..).and_then(|rest| rest.find(['/', '?', '#'])).map_or(text.len(), |at| host + at);
        Glob::parse(pattern).is_some_and(|glob| glob.matches(text, end))
    }

    #[test]
    fn patterns_mean_what_they_mean_for_gotrue() {
        for (pattern, text) in [
            ("http://localhost:3000/*", "http://localhost:3000/cb"),
            ("http://localhost:3000/*", "http://localhost:3000/cb?a=1"),
            ("http://localhost:3000/**", "http://localhost:3000/a/b.html"),
            ("http://localhost:3000/**", "http://localhost:3000/"),
            ("https://*.example.com/cb", "https://a.example.com/cb"),
            ("https://*-team.vercel.app/**", "https://web-team.vercel.app/a/b"),
            ("https://exa?ple.com/", "https://example.com/"),
            ("https://example.com/cb?a=*", "https://example.com/cb?a=1"),
            ("https://example.com/[a-c]", "https://example.com/b"),
            ("https://example.com/[!a-c]", "https://example.com/d"),
            ("https://{one,two}.example.com/{a,b{c,d}}", "https://two.example.com/bd"),
            (r"https://example.com/\*", "https://example.com/*"),
            ("myapp://**", "myapp://a/b.c"),
            ("com.example.app:/cb", "com.example.app:/cb"),
            ("http://localhost:*", "http://localhost:3000"),
            ("**", "https://anything.example/x"),
        ] {
            assert!(fits(pattern, text), "{pattern} should match {text}");
        }
    }

    #[test]
    fn nothing_else_matches() {
        for (pattern, text) in [
            ("http://localhost:3000/*", "http://localhost:3000"),
            ("http://localhost:3000/*", "http://localhost:3000/a/b"),
            ("http://localhost:3000/*", "http://localhost:3000/a.b"),
            ("https://*.example.com/cb", "https://a.b.example.com/cb"),
            ("https://*.example.com/cb", "https://example.com/cb"),
            ("https://example.com/[a-c]", "https://example.com/d"),
            ("https://example.com/[!a-c]", "https://example.com/b"),
            ("https://a?b.example.com/", "https://a.b.example.com/"),
            ("https://example.com/cb", "https://example.com/cb2"),
            ("https://example.com/cb", "https://example.com/c"),
            ("{a,b", "a"),
            ("[a", "a"),
            ("[]", ""),
            ("a\\", "a"),
        ] {
            assert!(!fits(pattern, text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn a_repetition_in_the_host_ends_with_the_host() {
        for (pattern, text) in [
            ("https://**.example.com/**", "https://elsewhere.org/.example.com/"),
            ("https://**.example.com/**", "https://elsewhere.org?.example.com/"),
            ("https://**.example.com/**", "https://elsewhere.org#.example.com/"),
            ("**://example.com/**", "https://elsewhere.org/http://example.com/"),
            ("**.example.com/**", "https://elsewhere.org/.example.com/"),
            ("https://****.example.com/**", "https://elsewhere.org/.example.com/"),
            ("https://***.example.com/**", "https://elsewhere.org?.example.com/"),
            ("https://**{,x}*.example.com/**", "https://elsewhere.org?.example.com/"),
        ] {
            assert!(!fits(pattern, text), "{pattern} should not match {text}");
        }
        assert!(fits("https://**.example.com/**", "https://a.b.example.com/c/d"));
        assert!(fits("**.example.com/**", "https://a.b.example.com/c"));
    }

    #[test]
    fn costly_patterns_cost_little() {
        let pattern = format!("https://example.com/{}b", "**a*".repeat(60));
        let text = format!("https://example.com/{}", "a".repeat(2_000));
        let begun = std::time::Instant::now();
        assert!(!fits(&pattern, &text));
        assert!(begun.elapsed() < std::time::Duration::from_secs(2));
        assert!(Glob::parse(&"{a,b}".repeat(40)).is_none());
        assert!(Glob::parse(&"{".repeat(10_000)).is_none());
    }
}
