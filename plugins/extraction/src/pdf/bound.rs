//! What is looked at before the library opens a file: shapes of bytes that would cost it its stack or its memory.
//!
//! Its reader of objects calls itself for what is nested, and keeps a copy of each object that a place or a table of
//! places names. What is encrypted cannot be looked at here.

use std::collections::HashSet;

use unpdf::parser::raw::xref::{XrefEntry, parse_xref_chain};

use super::filter::inflate;
use crate::failure::Failure;

/// Most arrays and dictionaries inside of each other.
const MAX_DEPTH: usize = 100;
/// Most beginnings of objects directly behind each other.
const MAX_BEGINNINGS: usize = 20;
/// Most values outside of streams. Each takes about 100 bytes of memory.
const MAX_VALUES: usize = 3_000_000;
/// Bytes of a long string, and most of them.
const LONG: usize = 4 * 1024;
const MAX_LONG_STRINGS: usize = 10_000;
/// Most objects that begin inside of long strings. From each of them on the library looks for the end of the string.
const MAX_INSIDE: usize = 1000;
/// Most numbers of objects that stand for an object which has one already.
const MAX_DOUBLES: usize = 1000;
/// Most bytes of one stream of objects, and of all.
const MAX_OBJECT_STREAM: usize = 32 * 1024 * 1024;
const MAX_OBJECT_STREAMS: usize = 128 * 1024 * 1024;
/// Bytes between the type of a stream of objects and its beginning.
const DICTIONARY: usize = 4 * 1024;

const DAMAGED: Failure = Failure::damaged("The PDF file is damaged: its objects cannot be read.");
const TOO_LARGE: Failure = Failure::too_large("The PDF file has more objects than a document may have.");

/// Refuses a file whose objects cannot be opened within the bounds.
pub(super) fn check(bytes: &[u8]) -> Result<(), Failure> {
    let mut scan = Scan::default();
    scan.scan(bytes)?;
    // Streams lie behind each other, so all of them together are not much longer than the file.
    if scan.lengths.max(scan.covered) > 4 * bytes.len() + 1024 * 1024 {
        return Err(DAMAGED);
    }
    check_object_streams(bytes, scan)?;
    check_table(bytes)
}

/// Looks into the streams of objects.
fn check_object_streams(bytes: &[u8], mut scan: Scan) -> Result<(), Failure> {
    let mut left = MAX_OBJECT_STREAMS;
    let mut rest = bytes;
    while let Some(place) = find(rest, b"/ObjStm") {
        rest = &rest[place + 1..];
        let Some(start) = find(&rest[..rest.len().min(DICTIONARY)], b"stream") else { continue };
        let packed = &rest[start + b"stream".len()..];
        let Some(end) = find(packed, b"endstream") else { break };
        let objects = inflate(packed[..end].trim_ascii_start(), MAX_OBJECT_STREAM.min(left)).ok_or(TOO_LARGE)?;
        left -= objects.len();
        scan.scan(&objects)?;
    }
    Ok(())
}

/// Looks at the table of places. One that cannot be read is made anew by the library, from the objects themselves.
fn check_table(bytes: &[u8]) -> Result<(), Failure> {
    let Ok((table, _)) = parse_xref_chain(bytes) else { return Ok(()) };
    let places: HashSet<(u32, usize)> = table
        .entries
        .values()
        .map(|entry| match *entry {
            XrefEntry::Uncompressed(place) => (0, place),
            XrefEntry::Compressed(stream, index) => (stream, index as usize),
        })
        .collect();
    if table.entries.len() > places.len() + MAX_DOUBLES { Err(DAMAGED) } else { Ok(()) }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[derive(Default)]
struct Scan {
    depth: usize,
    beginnings: usize,
    /// Whether there were only digits since an object began.
    only_digits: bool,
    values: usize,
    long_strings: usize,
    /// Where the last string ends that was measured, and the last one that was long.
    measured: usize,
    long_until: usize,
    /// Objects and trailers inside of long strings.
    inside: usize,
    /// Streams that began since one ended, and the sum of their places.
    open: usize,
    open_places: usize,
    /// Bytes from the beginnings of all streams to the next end of one.
    covered: usize,
    /// The lengths that streams say they have.
    lengths: usize,
}

impl Scan {
    fn scan(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.end_streams(0);
        (self.depth, self.measured, self.long_until) = (0, 0, 0);
        let mut at = 0;
        while at < bytes.len() {
            at += self.step(bytes, at);
            let is_long = self.long_strings > MAX_LONG_STRINGS || self.inside > MAX_INSIDE;
            if is_long || self.depth > MAX_DEPTH || self.beginnings > MAX_BEGINNINGS {
                return Err(DAMAGED);
            }
            if self.values > MAX_VALUES {
                return Err(TOO_LARGE);
            }
        }
        self.end_streams(bytes.len());
        Ok(())
    }

    /// Looks at the bytes from a place on, and says how many of them are done.
    fn step(&mut self, bytes: &[u8], at: usize) -> usize {
        let rest = &bytes[at..];
        let byte = rest[0];
        let is_space = byte.is_ascii_whitespace() || byte == 0;
        let in_stream = self.open > 0;
        if !is_space && !byte.is_ascii_digit() && !rest.starts_with(b"obj") {
            self.only_digits = false;
        }
        let follows_space = at.checked_sub(1).is_none_or(|before| !bytes[before].is_ascii_graphic());
        if !in_stream && (byte == b'/' || (!is_space && follows_space)) {
            self.values += 1;
        }
        match byte {
            b'[' => self.depth += 1,
            b'<' if rest.starts_with(b"<<") => {
                self.depth += 1;
                return 2;
            }
            b']' | b'>' if byte == b']' || rest.starts_with(b">>") => {
                self.depth = self.depth.saturating_sub(1);
                return if byte == b']' { 1 } else { 2 };
            }
            b'(' | b'<' if !in_stream && at >= self.measured => self.measure(rest, at),
            b'o' | b'e' | b's' | b't' => return self.word(rest, at),
            b'/' if rest.starts_with(b"/Length") => self.lengths += length_of(&rest[7..]).unwrap_or_default(),
            b'/' if rest.starts_with(b"/W") && has_negative_width(&rest[2..]) => self.depth = MAX_DEPTH + 1,
            // Bytes that stand in no array or dictionary.
            _ if in_stream && !is_space && !byte.is_ascii_graphic() => self.depth = 0,
            _ => {}
        }
        1
    }

    /// Looks for the words around objects and streams.
    fn word(&mut self, rest: &[u8], at: usize) -> usize {
        let is_object = rest.starts_with(b"obj");
        self.inside += usize::from((is_object || rest.starts_with(b"trailer")) && at < self.long_until);
        if is_object {
            self.beginnings = if self.only_digits { self.beginnings + 1 } else { 0 };
            self.only_digits = true;
            return 3;
        }
        if rest.starts_with(b"stream\n") || rest.starts_with(b"stream\r") {
            self.open += 1;
            self.open_places += at;
            return 6;
        }
        let is_end_of_stream = rest.starts_with(b"endstream");
        if is_end_of_stream {
            self.end_streams(at);
        }
        if is_end_of_stream || rest.starts_with(b"endobj") {
            (self.depth, self.beginnings) = (0, 0);
            return 6;
        }
        1
    }

    fn end_streams(&mut self, at: usize) {
        self.covered = self.covered.saturating_add((self.open * at).saturating_sub(self.open_places));
        (self.open, self.open_places) = (0, 0);
    }

    /// Looks for the end of a string.
    fn measure(&mut self, rest: &[u8], at: usize) {
        let is_text = rest[0] == b'(';
        let mut depth = 0_usize;
        let mut is_escaped = false;
        let end = rest.iter().take(LONG).position(|&byte| {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if is_text { depth == 0 } else { byte == b'>' }
        });
        self.measured = at + end.unwrap_or(LONG);
        if end.is_none() {
            self.long_strings += 1;
            self.long_until = self.measured;
        }
    }
}

/// The length that a stream says it has, if the file is that long.
fn length_of(rest: &[u8]) -> Option<usize> {
    let (first, _) = rest.split_first()?;
    let digits = rest.trim_ascii_start();
    let count = digits.iter().take(12).position(|byte| !byte.is_ascii_digit())?;
    let length = std::str::from_utf8(&digits[..count]).ok()?.parse().ok()?;
    let behind = digits[count..].trim_ascii_start();
    let is_reference = behind.first().is_some_and(u8::is_ascii_digit);
    (first.is_ascii_whitespace() && !is_reference && length <= rest.len()).then_some(length)
}

/// Whether these are the widths of a table of places, and one is below zero: the library counts it as almost all of its
/// memory then.
fn has_negative_width(rest: &[u8]) -> bool {
    let Some(rest) = rest.trim_ascii_start().strip_prefix(b"[") else { return false };
    let Some(end) = rest.iter().take(64).position(|&byte| byte == b']') else { return false };
    let is_number = |number: &[u8]| number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let mut numbers = rest[..end].split(u8::is_ascii_whitespace).filter(|number| !number.is_empty());
    numbers.clone().count() == 3 && numbers.all(is_number) && rest[..end].contains(&b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Reason;

    fn reason(bytes: &[u8]) -> Option<Reason> {
        check(bytes).err().map(|failure| failure.reason)
    }

    #[test]
    fn nesting_is_bounded_outside_of_streams() {
        let nested = |depth: usize| [b"1 0 obj ".to_vec(), b"[".repeat(depth), b"]".repeat(depth)].concat();
        assert_eq!(reason(&nested(MAX_DEPTH)), None);
        assert_eq!(reason(&nested(MAX_DEPTH + 1)), Some(Reason::Damaged));
        assert_eq!(reason(&b"<</A ".repeat(MAX_DEPTH + 1)), Some(Reason::Damaged));
        assert_eq!(reason(&b"7 0 obj ".repeat(MAX_BEGINNINGS + 2)), Some(Reason::Damaged));
        // What is packed holds any bytes.
        let packed = [b"<<>>stream\n".to_vec(), b"[\xff[".repeat(1000), b"\nendstream endobj".to_vec()].concat();
        assert_eq!(reason(&packed), None);
    }

    #[test]
    fn streams_do_not_lie_inside_of_each_other() {
        let stream = b"1 0 obj<</Length 9000000>>stream\n";
        let longer = [stream.repeat(10), vec![b' '; 10_000_000]].concat();
        assert_eq!(reason(&longer), Some(Reason::Damaged));
        // Lengths beyond the file are not believed by the library either.
        assert_eq!(reason(&stream.repeat(10)), None);
        let open = b"1 0 obj<</Length 2 0 R>>stream\n".repeat(10_000);
        assert_eq!(reason(&[open, b"endstream\n".repeat(10_000)].concat()), Some(Reason::Damaged));
        assert_eq!(reason(&b"1 0 obj<<>>stream\nx\nendstream\nendobj\n".repeat(10_000)), None);
    }

    #[test]
    fn objects_inside_of_strings_are_few() {
        let objects =
            |count: usize| [b"1 0 obj(".to_vec(), b"2 0 obj(\n".repeat(count), b")".repeat(count + 1)].concat();
        assert_eq!(reason(&objects(10)), None);
        assert_eq!(reason(&objects(10_000)), Some(Reason::Damaged));
        assert_eq!(reason(&b"trailer(".repeat(10_000)), Some(Reason::Damaged));
        let long = [b"1 0 obj(".to_vec(), vec![b' '; LONG], b")endobj ".to_vec()].concat();
        assert_eq!(reason(&long.repeat(100)), None);
        assert_eq!(reason(&long.repeat(MAX_LONG_STRINGS + 1)), Some(Reason::Damaged));
        assert_eq!(reason(&b"1 0 obj(a \\) b)endobj\n".repeat(10_000)), None);
    }

    #[test]
    fn values_are_counted() {
        assert_eq!(reason(&b"0 ".repeat(MAX_VALUES)), None);
        assert_eq!(reason(&b"0 ".repeat(MAX_VALUES + 1)), Some(Reason::TooLarge));
        assert_eq!(reason(&b"/A".repeat(MAX_VALUES + 1)), Some(Reason::TooLarge));
    }

    #[test]
    fn widths_below_zero_are_refused() {
        assert_eq!(reason(b"<</Type/XRef/W[ -1 2 0]>>"), Some(Reason::Damaged));
        assert_eq!(reason(b"<</Type/XRef/W[1 2 0]>>"), None);
        assert_eq!(reason(b"<</W [0 [ -5 ] ]/Widths[-1 2 0]>>"), None);
    }

    #[test]
    fn many_numbers_of_one_object_are_refused() {
        let table = |count: usize| {
            let entries = "0000000009 00000 n \n".repeat(count);
            format!("%PDF-1.7\nxref\n0 {count}\n{entries}trailer\n<</Size {count}>>\nstartxref\n9\n%%EOF")
        };
        assert_eq!(reason(table(MAX_DOUBLES).as_bytes()), None);
        assert_eq!(reason(table(MAX_DOUBLES + 2).as_bytes()), Some(Reason::Damaged));
    }
}
