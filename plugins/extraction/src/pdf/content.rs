//! The operators of a page, one at a time, and which of them are kept.
//!
//! What is kept is bounded: operators, operands, nested arrays, and lines and shapes, each of which the layout compares
//! with the others when it looks for tables. No text is longer than any page.

use std::borrow::Cow;

use super::plain;
use super::reach::{MAX_REACH, Operands, State, is_complete};

/// Most operators of a page with its forms.
pub(super) const MAX_OPERATORS: usize = 200_000;
/// Most pieces of lines and shapes of a page. A page with tables has some hundreds, a map has a million.
pub(super) const MAX_LINES: usize = 5_000;
/// Most pieces of text of a page. The layout compares those at one place with each other.
pub(super) const MAX_TEXTS: usize = 16_000;
/// Most bytes of an operator with its operands.
const MAX_LENGTH: usize = 64 * 1024;
/// Most operands of an operator, with those in arrays.
const MAX_OPERANDS: usize = 8 * 1024;
/// Most arrays inside of each other.
const MAX_DEPTH: usize = 8;
/// An image of one point in place of the one that was in the content.
const IMAGE: &[u8] = b"BI /W 1 /H 1 ID x EI";

/// What a page may still show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) operators: usize,
    pub(super) texts: usize,
    pub(super) lines: usize,
}

impl Allowance {
    pub(super) const PAGE: Self = Self { operators: MAX_OPERATORS, texts: MAX_TEXTS, lines: MAX_LINES };
    /// One operator that is neither text nor a line.
    pub(super) const ONE: Self = Self { operators: 1, texts: 0, lines: 0 };

    /// What is left if `cost` is taken from it, or nothing if that is more than there is.
    pub(super) fn minus(self, cost: Self) -> Option<Self> {
        let operators = self.operators.checked_sub(cost.operators)?;
        let texts = self.texts.checked_sub(cost.texts)?;
        Some(Self { operators, texts, lines: self.lines.checked_sub(cost.lines)? })
    }
}

/// What a form or an image takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painted {
    pub(super) cost: Allowance,
    /// How far its texts reach.
    pub(super) reach: f64,
}

impl Painted {
    /// An image.
    pub(super) const IMAGE: Self = Self { cost: Allowance::ONE, reach: 0.0 };
}

/// The content that was kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    /// How far its texts reach.
    pub(super) reach: f64,
    /// Whether everything was kept, apart from lines and shapes.
    pub(super) is_whole: bool,
}

/// What the names in a content stand for.
pub(super) trait Names {
    /// What a form or an image takes; nothing if it is left out.
    fn painted(&self, name: &[u8]) -> Option<Painted>;

    /// How many ems the widest character of a font has, at least 1.
    fn widest(&self, font: &[u8]) -> f64;
}

/// Keeps the operators that are within the bounds.
pub(super) fn keep(content: &[u8], allowance: &mut Allowance, names: &impl Names) -> Kept {
    let capacity = content.len().min(1024 * 1024);
    let mut kept = Kept { bytes: Vec::with_capacity(capacity), reach: 0.0, is_whole: true };
    let mut state = State::new();
    let mut operators = Operators { content, at: 0 };
    while let Some(operator) = operators.next() {
        let takes = match operator.kind {
            Kind::Unknown => continue,
            Kind::TooLarge => None,
            Kind::Text => {
                let cost = Allowance { texts: 1, ..Allowance::ONE };
                Some(Painted { cost, reach: state.reach(&operator.operands) })
            }
            Kind::Line => Some(Painted { cost: Allowance { lines: 1, ..Allowance::ONE }, reach: 0.0 }),
            Kind::Paint => {
                names.painted(&operator.name()).map(|form| Painted { reach: form.reach * state.scale(), ..form })
            }
            Kind::Image | Kind::Other => Some(Painted::IMAGE),
        };
        let takes = takes.filter(|takes| takes.reach <= MAX_REACH);
        if let Some((takes, left)) = takes.and_then(|takes| Some((takes, allowance.minus(takes.cost)?))) {
            *allowance = left;
            kept.reach = kept.reach.max(takes.reach);
            state.follow(operator.word, &operator.operands);
            if operator.word == b"Tf" {
                state.widen(names.widest(&operator.name()));
            }
            operator.write(&mut kept.bytes);
        } else {
            // Without its lines a page still has its text.
            kept.is_whole &= operator.kind == Kind::Line;
        }
    }
    kept
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// A piece of text.
    Text,
    /// A piece of a line or a shape.
    Line,
    /// Paints a form or an image.
    Paint,
    /// An image in the content itself.
    Image,
    /// Every other operator.
    Other,
    /// A word that is no operator.
    Unknown,
    /// Has more or larger operands than an operator may have, or not those that it needs.
    TooLarge,
}

struct Operator<'a> {
    /// With its operands.
    bytes: &'a [u8],
    word: &'a [u8],
    operands: Operands,
    /// The last name among the operands.
    name: &'a [u8],
    shown: Vec<Shown<'a>>,
    kind: Kind,
}

impl Operator<'_> {
    /// The last name among the operands, without escapes.
    fn name(&self) -> Cow<'_, [u8]> {
        if !self.name.contains(&b'#') {
            return self.name.into();
        }
        let mut name = Vec::with_capacity(self.name.len());
        let mut rest = self.name;
        while let Some((&byte, after)) = rest.split_first() {
            let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
            let code = code.filter(|_| byte == b'#').and_then(|code| u8::from_str_radix(code, 16).ok());
            name.push(code.unwrap_or(byte));
            rest = if code.is_some() { &after[2..] } else { after };
        }
        name.into()
    }

    /// Writes it with those operands that were read. The library tells words and numbers apart in another way than it is
    /// done here, so nothing but BDC, whose dictionary may hold text, is passed on as it is.
    fn write(&self, out: &mut Vec<u8>) {
        match self.word {
            _ if self.kind == Kind::Image => out.extend_from_slice(IMAGE),
            b"BDC" if is_closed(self.bytes) => out.extend_from_slice(self.bytes),
            b"BDC" => {
                plain::name(&self.name(), out);
                out.extend_from_slice(b" BMC");
            }
            b"TJ" => {
                out.push(b'[');
                self.shown.iter().for_each(|shown| shown.write(out));
                out.extend_from_slice(b"]TJ");
            }
            b"Tj" | b"'" | b"\"" => {
                self.write_numbers(if self.word == b"\"" { 2 } else { 0 }, out);
                let text = self.shown.iter().find(|shown| matches!(shown, Shown::Text(_)));
                text.unwrap_or(&Shown::Text(b"()")).write(out);
                out.push(b' ');
                out.extend_from_slice(self.word);
            }
            b"Do" | b"Tf" | b"gs" | b"cs" | b"CS" | b"BMC" => {
                plain::name(&self.name(), out);
                out.push(b' ');
                self.write_numbers(usize::from(self.word == b"Tf"), out);
                out.extend_from_slice(self.word);
            }
            word => {
                self.write_numbers(6, out);
                out.extend_from_slice(word);
            }
        }
        out.push(b'\n');
    }

    /// Writes at most so many of its last numbers.
    fn write_numbers(&self, most: usize, out: &mut Vec<u8>) {
        let last = &self.operands.last;
        for number in &last[last.len() - self.operands.count.min(most)..] {
            out.extend_from_slice(format!("{number} ").as_bytes());
        }
    }
}

/// Whether each dictionary of an operator ends.
fn is_closed(bytes: &[u8]) -> bool {
    let count = |sign: &[u8]| bytes.windows(2).filter(|window| *window == sign).count();
    count(b"<<") == count(b">>")
}

/// A part of what an operator shows.
#[derive(Clone, Copy)]
enum Shown<'a> {
    /// A text, with the signs around it.
    Text(&'a [u8]),
    /// By how much the next text is moved.
    Move(f64),
}

impl Shown<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) if text.starts_with(b"<") => {
                out.push(b'<');
                out.extend(text.iter().filter(|byte| byte.is_ascii_hexdigit()));
                out.push(b'>');
            }
            Self::Text(text) => out.extend_from_slice(text),
            Self::Move(number) => out.extend_from_slice(format!(" {number} ").as_bytes()),
        }
    }
}

/// Whether a word is an operator, other than those around an image.
fn is_operator(word: &[u8]) -> bool {
    const ONE: &[u8] = b"qQwJjMimlcvyhSsfFBbnWGgKk'\"";
    const TWO: &[&[u8; 2]] = &[
        b"cm", b"ri", b"gs", b"re", b"f*", b"B*", b"b*", b"W*", b"BT", b"ET", b"Tc", b"Tw", b"Tz", b"TL", b"Tf", b"Tr",
        b"Ts", b"Td", b"TD", b"Tm", b"T*", b"Tj", b"TJ", b"d0", b"d1", b"CS", b"cs", b"SC", b"sc", b"RG", b"rg", b"sh",
        b"Do", b"BX", b"EX",
    ];
    match word {
        [sign] => ONE.contains(sign),
        [_, _] => TWO.iter().any(|known| known.as_slice() == word),
        _ => matches!(word, b"SCN" | b"scn" | b"BMC" | b"BDC" | b"EMC"),
    }
}

/// What was read since the last operator.
#[derive(Default)]
struct Read<'a> {
    /// Where the first operand begins.
    start: Option<usize>,
    count: usize,
    operands: Operands,
    last_name: &'a [u8],
    /// Texts, and numbers in arrays.
    shown: Vec<Shown<'a>>,
    /// Open arrays, and the most of them.
    depth: usize,
    deepest: usize,
}

impl Read<'_> {
    fn push_number(&mut self, number: &[u8]) {
        let number = self.operands.push(number, self.depth > 0);
        if self.depth > 0 {
            self.shown.push(Shown::Move(number));
        }
    }
}

struct Operators<'a> {
    content: &'a [u8],
    at: usize,
}

impl<'a> Operators<'a> {
    fn next(&mut self) -> Option<Operator<'a>> {
        let mut read = Read::default();
        while let Some(&byte) = self.content.get(self.at) {
            let from = self.at;
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | 0 | 12 => {
                    self.at += 1;
                    continue;
                }
                // In an array the library reads on.
                b'%' if read.depth == 0 => {
                    self.skip_until(|byte| matches!(byte, b'\r' | b'\n'));
                    continue;
                }
                b'(' => {
                    self.skip_string();
                    read.operands.text += self.at - from;
                    read.shown.push(Shown::Text(self.taken(from)));
                }
                b'<' if self.content.get(from + 1) == Some(&b'<') => self.at += 2,
                b'<' => {
                    self.skip_until(|byte| byte == b'>');
                    self.at += 1;
                    read.operands.text += (self.at - from) / 2;
                    read.shown.push(Shown::Text(self.taken(from)));
                }
                b'[' | b']' => {
                    self.at += 1;
                    read.depth = if byte == b'[' { read.depth + 1 } else { read.depth.saturating_sub(1) };
                    read.deepest = read.deepest.max(read.depth);
                }
                b'/' => {
                    self.at += 1;
                    self.skip_until(is_end_of_name);
                    read.last_name = &self.content[from + 1..self.at];
                }
                b'+' | b'-' | b'.' | b'0'..=b'9' => {
                    self.at += 1;
                    self.skip_until(|byte| byte != b'.' && !byte.is_ascii_digit());
                    read.push_number(&self.content[from..self.at]);
                }
                b'\'' | b'"' if read.depth == 0 => {
                    self.at += 1;
                    return Some(self.operator(read, from));
                }
                b'A'..=b'Z' | b'a'..=b'z' => {
                    self.skip_until(|byte| !byte.is_ascii_alphanumeric());
                    if self.content.get(self.at) == Some(&b'*') {
                        self.at += 1;
                    }
                    if read.depth == 0 && !matches!(&self.content[from..self.at], b"true" | b"false" | b"null") {
                        return Some(self.operator(read, from));
                    }
                }
                _ => self.at += 1,
            }
            read.start = read.start.or(Some(from));
            read.count += 1;
        }
        None
    }

    /// The operator whose word begins at `from` and ends here.
    fn operator(&mut self, read: Read<'a>, from: usize) -> Operator<'a> {
        let end = self.at.min(self.content.len());
        let (bytes, word) = (&self.content[read.start.unwrap_or(from)..end], &self.content[from..end]);
        let is_large = bytes.len() > MAX_LENGTH || read.deepest > MAX_DEPTH || read.count > MAX_OPERANDS;
        let kind = match word {
            b"BI" => {
                self.skip_image();
                Kind::Image
            }
            _ if is_large || read.operands.is_wild || !is_complete(word, &read.operands) => Kind::TooLarge,
            _ if !is_operator(word) => Kind::Unknown,
            b"Do" => Kind::Paint,
            b"Tj" | b"TJ" | b"'" | b"\"" => Kind::Text,
            b"m" | b"l" | b"c" | b"v" | b"y" | b"h" | b"re" | b"S" | b"s" | b"f" | b"F" | b"f*" | b"B" | b"B*"
            | b"b" | b"b*" | b"n" | b"W" | b"W*" => Kind::Line,
            _ => Kind::Other,
        };
        Operator { bytes, word, operands: read.operands, name: read.last_name, shown: read.shown, kind }
    }

    /// The bytes from a place to here.
    fn taken(&self, from: usize) -> &'a [u8] {
        &self.content[from..self.at.min(self.content.len())]
    }

    fn skip_until(&mut self, ends: impl Fn(u8) -> bool) {
        let rest = self.content.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|&byte| ends(byte)).unwrap_or(rest.len());
    }

    fn skip_string(&mut self) {
        let mut depth = 0_usize;
        while let Some(&byte) = self.content.get(self.at) {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'(' => depth += 1,
                b')' if depth <= 1 => return,
                b')' => depth -= 1,
                _ => {}
            }
        }
    }

    /// Skips an image that stands in the content: to the word `EI` behind the word `ID`.
    fn skip_image(&mut self) {
        for end in [b"ID", b"EI"] {
            loop {
                let rest = self.content.get(self.at..).unwrap_or_default();
                let Some(place) = rest.windows(2).position(|window| window == end) else {
                    self.at = self.content.len();
                    return;
                };
                let before = self.at + place;
                self.at = before + 2;
                let is_space = |place: Option<&u8>| place.is_none_or(|&byte| is_end_of_name(byte));
                if is_space(before.checked_sub(1).and_then(|before| self.content.get(before)))
                    && is_space(self.content.get(self.at))
                {
                    break;
                }
            }
        }
    }
}

fn is_end_of_name(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Forms;

    impl Names for Forms {
        fn painted(&self, name: &[u8]) -> Option<Painted> {
            let form = Painted { cost: Allowance { operators: 3, ..Allowance::ONE }, reach: 1000.0 };
            (name != b"Bad").then_some(form)
        }

        fn widest(&self, font: &[u8]) -> f64 {
            if font == b"Wide" { 1000.0 } else { 1.0 }
        }
    }

    fn kept(content: &[u8]) -> (String, bool) {
        let mut allowance = Allowance { operators: 10, texts: 6, lines: 2 };
        let kept = keep(content, &mut allowance, &Forms);
        (String::from_utf8_lossy(&kept.bytes).trim().replace('\n', "|"), kept.is_whole)
    }

    #[test]
    fn operators_keep_their_operands() {
        let (text, is_whole) = kept(b"BT % words\n/F1 12 Tf [(a\\)(])) -3 <41>]TJ (x)' true /A<</B 1>>BDC T* ET");
        assert_eq!(text, "BT|/F1 12 Tf|[(a\\)(])) -3 <41>]TJ|(x) '|true /A<</B 1>>BDC|T*|ET");
        assert!(is_whole);
    }

    #[test]
    fn lines_end_before_the_text_does() {
        assert_eq!(kept(b"0 0 m 1 1 l S 2 2 m (a) Tj"), ("0 0 m|1 1 l|(a) Tj".into(), true));
        assert_eq!(kept(&b"(a) Tj ".repeat(11)).0.len(), "(a) Tj|".len() * 6 - 1);
        assert!(!kept(&b"(a) Tj ".repeat(11)).1);
    }

    #[test]
    fn images_in_the_content_become_small() {
        let small = String::from_utf8_lossy(IMAGE);
        assert_eq!(kept(b"BI /W 9 ID \x00EI\xff xEI EI q"), (format!("{small}|q"), true));
        assert_eq!(kept(b"BI /W 9 ID"), (small.into_owned(), true));
    }

    #[test]
    fn forms_count_as_what_they_paint() {
        assert_eq!(kept(b"/X Do /X Do /Bad Do /X Do /X Do q"), ("/X Do|/X Do|/X Do|q".into(), false));
    }

    #[test]
    fn operands_are_bounded() {
        assert_eq!(kept(&[&b"[".repeat(9), &b"]".repeat(9), b"TJ Q".as_slice()].concat()), ("Q".into(), false));
        assert_eq!(kept(&[&b"1 ".repeat(MAX_OPERANDS + 1), b"n Q".as_slice()].concat()), ("Q".into(), false));
        assert_eq!(kept(&b"[".repeat(100)), (String::new(), true));
    }
    #[test]
    fn texts_beyond_any_page_are_left_out() {
        let long = "a".repeat(1000);
        let text =
            format!("/F 12 Tf ({long}) Tj 1000 0 0 1000 0 0 Tm ({long}) Tj BT /X Do 999 0 0 9 9 9 cm /X Do (b) Tj");
        let (text, is_whole) = kept(text.as_bytes());
        assert_eq!(text, format!("/F 12 Tf|({long}) Tj|1000 0 0 1000 0 0 Tm|BT|/X Do|999 0 0 9 9 9 cm|(b) Tj"));
        assert!(!is_whole);
        assert_eq!(kept(b"99999999999 0 0 1 0 0 cm Q"), ("Q".into(), false));
        // The library takes the first name, and what was counted is the last one.
        assert_eq!(kept(b"/Heavy [/X] /F#6f#2fm Do").0, "/Fo#2Fm Do");
        assert_eq!(kept(b"/Good /B#61d Do"), (String::new(), false));
        assert_eq!(kept(b"/X (x) .5 0 0 -1. 1 1 cm").0, "0.5 0 0 -1 1 1 cm");
        // Where the library ends a word and begins a number is not known.
        assert_eq!(kept(b"[(a)-3C99999999999999(b) <61 62>] TJ 9 Tf9 5 Tr9").0, "[(a) -3 (b)<6162>]TJ");
        assert_eq!(kept(b"/A <</B(c)>> BDC /D <</E BDC").0, "/A <</B(c)>> BDC|/E BMC");
        let wide = format!("/Wide 12 Tf (short) Tj ({}) Tj", "a".repeat(20));
        assert_eq!(kept(wide.as_bytes()), ("/Wide 12 Tf|(short) Tj".into(), false));
    }
}
