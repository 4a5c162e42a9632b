//! The records of an old Excel file, and the texts in them.

use encoding_rs::{UTF_16LE, WINDOWS_1252};

/// A record that goes on in the next one.
pub(super) const CONTINUE: u16 = 0x003c;

/// A record: its kind and its bytes.
#[derive(Clone, Copy)]
pub(super) struct Record<'b> {
    pub(super) kind: u16,
    pub(super) data: &'b [u8],
}

impl Record<'_> {
    /// The number of two bytes at a place; zero if the record ends before.
    pub(super) fn short(&self, at: usize) -> u16 {
        self.data.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    /// The number of four bytes at a place; zero if the record ends before.
    pub(super) fn long(&self, at: usize) -> u32 {
        u32::from(self.short(at)) | (u32::from(self.short(at + 2)) << 16)
    }

    /// The number of eight bytes at a place; zero if the record ends before.
    pub(super) fn double(&self, at: usize) -> f64 {
        f64::from_bits(u64::from(self.long(at)) | (u64::from(self.long(at + 4)) << 32))
    }

    /// A text: the number of its characters stands in `width` bytes at a place, one byte of flags follows.
    pub(super) fn text(&self, at: usize, width: usize) -> String {
        let count = if width == 1 { self.short(at) & 0xff } else { self.short(at) };
        let Some((flags, data)) = self.data.get(at + width..).and_then(<[u8]>::split_first) else {
            return String::new();
        };
        decoded(data, usize::from(count), *flags).0
    }
}

/// Records from a place on.
#[derive(Clone)]
pub(super) struct Records<'b> {
    bytes: &'b [u8],
}

impl<'b> Records<'b> {
    pub(super) fn new(bytes: &'b [u8], from: usize) -> Self {
        Self { bytes: bytes.get(from..).unwrap_or_default() }
    }
}

impl<'b> Iterator for Records<'b> {
    type Item = Record<'b>;

    fn next(&mut self) -> Option<Record<'b>> {
        let head = Record { kind: 0, data: self.bytes.get(..4)? };
        let end = 4 + usize::from(head.short(2));
        let data = self.bytes.get(4..end)?;
        self.bytes = &self.bytes[end..];
        Some(Record { kind: head.short(0), data })
    }
}

/// At most `count` characters of one or of two bytes, and how many there are.
fn decoded(data: &[u8], count: usize, flags: u8) -> (String, usize) {
    let width = if flags & 1 == 0 { 1 } else { 2 };
    let count = count.min(data.len() / width);
    let data = &data[..count * width];
    let encoding = if width == 1 { WINDOWS_1252 } else { UTF_16LE };
    (encoding.decode_without_bom_handling(data).0.into_owned(), count)
}

/// The texts of the whole workbook: one record and those in which it goes on.
pub(super) struct Shared<'b> {
    records: Records<'b>,
    data: &'b [u8],
}

impl<'b> Shared<'b> {
    /// From the record on, whose first eight bytes are numbers that need not be true.
    pub(super) fn new(first: Record<'b>, rest: &Records<'b>) -> Self {
        Self { records: rest.clone(), data: first.data.get(8..).unwrap_or_default() }
    }

    fn next_text(&mut self) -> Option<String> {
        // A text never begins at the end of a record.
        if self.data.is_empty() && !self.go_on() {
            return None;
        }
        let head = Record { kind: 0, data: self.data };
        let mut count = usize::from(head.short(0));
        let mut flags = *self.data.get(2)?;
        let (has_runs, has_more) = (flags & 8 != 0, flags & 4 != 0);
        let runs = if has_runs { usize::from(head.short(3)) } else { 0 };
        let more = if has_more { head.long(3 + 2 * usize::from(has_runs)) as usize } else { 0 };
        self.data = self.data.get(3 + 2 * usize::from(has_runs) + 4 * usize::from(has_more)..)?;
        let mut text = String::new();
        loop {
            let (part, length) = decoded(self.data, count, flags);
            text.push_str(&part);
            count -= length;
            let width = if flags & 1 == 0 { 1 } else { 2 };
            self.data = &self.data[length * width..];
            if count == 0 {
                break;
            }
            // Where a text goes on in the next record, its width is said anew.
            if !self.go_on() {
                return None;
            }
            let (next, data) = self.data.split_first()?;
            (flags, self.data) = (*next, data);
        }
        self.skip(runs.saturating_mul(4).saturating_add(more))?;
        Some(text)
    }

    fn skip(&mut self, mut length: usize) -> Option<()> {
        while length > self.data.len() {
            length -= self.data.len();
            if !self.go_on() {
                return None;
            }
        }
        self.data = &self.data[length..];
        Some(())
    }

    /// Goes on in the next record, if it belongs to this one.
    fn go_on(&mut self) -> bool {
        let next = self.records.next().filter(|record| record.kind == CONTINUE);
        self.data = next.map_or(&[][..], |record| record.data);
        next.is_some()
    }
}

/// The texts, to the first one that is damaged.
impl Iterator for Shared<'_> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.next_text()
    }
}
