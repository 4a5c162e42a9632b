//! The header `range`: one part of the bytes.

use std::ops::Range;

/// The largest number that clients in JavaScript can name.
const MAX_NUMBER: u64 = (1 << 53) - 1;

/// A part of the bytes, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    first: u64,
    last: u64,
}

/// The header names no part of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRange;

impl ByteRange {
    /// The part of `size` bytes that a header names: from a byte, from one to another, or so many at the end. What goes beyond the
    /// end is cut off. Several parts at once are refused, so that none can be asked for a thousand times.
    pub fn parse(header: &str, size: u64) -> Result<Self, NoRange> {
        let (first, last) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')).ok_or(NoRange)?;
        let end = size.checked_sub(1).ok_or(NoRange)?;
        let range = match (number(first)?, number(last)?) {
            (None, None | Some(0)) => return Err(NoRange),
            (None, Some(length)) => Self { first: size.saturating_sub(length), last: end },
            (Some(first), last) => Self { first, last: last.unwrap_or(end) },
        };
        let is_one = range.first <= range.last && range.first <= end;
        is_one.then_some(Self { last: range.last.min(end), ..range }).ok_or(NoRange)
    }

    /// How many bytes it has.
    pub fn length(self) -> u64 {
        self.last.saturating_sub(self.first).saturating_add(1)
    }

    /// Its bounds, of which the second is the first byte behind it.
    pub fn bounds(self) -> Range<u64> {
        self.first..self.last.saturating_add(1)
    }

    /// It as in the header `content-range`.
    pub fn of(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.first, self.last)
    }
}

/// A number, or nothing.
fn number(text: &str) -> Result<Option<u64>, NoRange> {
    if text.is_empty() {
        return Ok(None);
    }
    // `parse` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse::<u64>().ok()).flatten();
    number.filter(|number| *number <= MAX_NUMBER).map(Some).ok_or(NoRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_is_read_and_cut_off_at_the_end() {
        for (header, part) in [
            ("bytes=0-0", "bytes 0-0/10"),
            ("bytes=2-5", "bytes 2-5/10"),
            ("bytes=2-", "bytes 2-9/10"),
            ("bytes=-3", "bytes 7-9/10"),
            ("bytes=-30", "bytes 0-9/10"),
            ("bytes=9-9007199254740991", "bytes 9-9/10"),
            ("bytes=007-008", "bytes 7-8/10"),
        ] {
            let range = ByteRange::parse(header, 10);
            assert_eq!(range.map(|range| range.of(10)), Ok(part.to_owned()), "{header}");
            let bounds = range.map(ByteRange::bounds).unwrap_or_default();
            assert_eq!(range.map(ByteRange::length), Ok(bounds.end - bounds.start), "{header}");
        }
    }

    #[test]
    fn what_names_no_part_is_refused() {
        for header in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=-0",
            "bytes=10-",
            "bytes=5-4",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=1-+2",
            "bytes=0-1,3-4",
            "bytes=0-1,0-1",
            "bytes= 0-1",
            "items=0-1",
            "bytes=-9007199254740992",
            "bytes=0-18446744073709551616",
            "bytes=99999999999999999999-",
            "bytes=--1",
        ] {
            assert_eq!(ByteRange::parse(header, 10), Err(NoRange), "{header}");
        }
        assert_eq!(ByteRange::parse("bytes=0-", 0), Err(NoRange));
        assert_eq!(ByteRange::parse("bytes=-1", 0), Err(NoRange));
    }
}
