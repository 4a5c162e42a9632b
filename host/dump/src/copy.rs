//! Rows in the text format of COPY: fields between tabs, `\N` for null, escapes that begin with a backslash.

use thiserror::Error;

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CopyError {
    /// A backslash ends the line.
    #[error("an escape is not finished")]
    Escape,
    /// The bytes are no text.
    #[error("a value is not UTF-8; dump with --encoding=UTF8")]
    Encoding,
    /// No text of a database holds this character.
    #[error("a value holds the NUL character")]
    Nul,
}

/// The fields of a row, without the end of its line; `None` stands for null.
pub(crate) fn fields(line: &[u8]) -> Result<Vec<Option<String>>, CopyError> {
    line.split(|byte| *byte == b'\t').map(field).collect()
}

fn field(bytes: &[u8]) -> Result<Option<String>, CopyError> {
    if bytes == b"\\N" {
        return Ok(None);
    }
    let mut text = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'\\' {
            let (byte, after) = escape(rest).ok_or(CopyError::Escape)?;
            text.push(byte);
            rest = after;
        } else {
            text.push(*first);
        }
    }
    if text.contains(&0) {
        return Err(CopyError::Nul);
    }
    String::from_utf8(text).map(Some).map_err(|_| CopyError::Encoding)
}

/// The byte that an escape stands for, and what comes after it.
fn escape(rest: &[u8]) -> Option<(u8, &[u8])> {
    let (first, after) = rest.split_first()?;
    Some(match first {
        b'b' => (0x08, after),
        b'f' => (0x0c, after),
        b'n' => (b'\n', after),
        b'r' => (b'\r', after),
        b't' => (b'\t', after),
        b'v' => (0x0b, after),
        b'0'..=b'7' => number(rest, 8, 3),
        b'x' if after.first().is_some_and(u8::is_ascii_hexdigit) => number(after, 16, 2),
        other => (*other, after),
    })
}

/// A byte written in digits, of which there are `most` at most.
fn number(rest: &[u8], radix: u32, most: usize) -> (u8, &[u8]) {
    let digits = rest.iter().take(most).take_while(|byte| char::from(**byte).is_digit(radix)).count();
    let (digits, after) = rest.split_at(digits);
    let value = digits.iter().fold(0_u32, |value, byte| value * radix + char::from(*byte).to_digit(radix).unwrap_or(0));
    // As Postgres does, the lowest byte counts.
    (value.to_le_bytes()[0], after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<Option<String>> {
        fields(line.as_bytes()).expect("a row")
    }

    #[expect(clippy::unnecessary_wraps, reason = "a field is one that is not null")]
    fn text(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn null_is_not_the_empty_text_nor_an_escaped_one() {
        assert_eq!(read("a\t\\N\t\t\\\\N"), [text("a"), None, text(""), text("\\N")]);
        assert_eq!(read(""), [text("")]);
    }

    #[test]
    fn escapes_are_those_of_postgres() {
        assert_eq!(read(r"\b\f\n\r\t\v"), [text("\u{8}\u{c}\n\r\t\u{b}")]);
        assert_eq!(read(r"\101\60\x41\x4g\x"), [text("A0A\u{4}gx")]);
        assert_eq!(read(r#"{\"a\": \"\\\\n\"}"#), [text(r#"{"a": "\\n"}"#)]);
        assert_eq!(read(r"\d\."), [text("d.")]);
        // Bytes of one character may be written one by one.
        assert_eq!(read(r"\303\244"), [text("ä")]);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert_eq!(fields(b"a\\"), Err(CopyError::Escape));
        assert_eq!(fields(b"\xff"), Err(CopyError::Encoding));
        assert_eq!(fields(br"\377"), Err(CopyError::Encoding));
        assert_eq!(fields(br"a\0b"), Err(CopyError::Nul));
        assert_eq!(fields(br"a\x00"), Err(CopyError::Nul));
        assert_eq!(fields(b"a\0b"), Err(CopyError::Nul));
    }
}
