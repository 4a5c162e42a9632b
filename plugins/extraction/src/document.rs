//! The bytes of the document: `Read` and `Seek` over what the host lends, with a read-ahead.

use std::io::{self, Read, Seek, SeekFrom};

use crate::failure::Failure;

/// Bytes that are asked of the host at once. It gives at most 1 MiB; this much costs little where only the end of a
/// file is looked at.
const AHEAD: u32 = 256 * 1024;

/// Where the bytes come from: the host, or memory in tests and in the example.
pub trait Source {
    /// The number of all bytes.
    fn size(&self) -> u64;

    /// At most `length` bytes from `offset` on; fewer at the end, and perhaps fewer before it.
    fn read(&self, offset: u64, length: u32) -> Vec<u8>;
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read(&self, offset: u64, length: u32) -> Vec<u8> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let to = from.saturating_add(length as usize).min(self.len());
        self[from..to].to_vec()
    }
}

/// The one document of the call.
pub(crate) struct Document<'a> {
    source: &'a dyn Source,
    size: u64,
    position: u64,
    /// The last bytes that were read, and where they begin.
    ahead: Vec<u8>,
    ahead_from: u64,
}

impl<'a> Document<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self { source, size: source.size(), position: 0, ahead: Vec::new(), ahead_from: 0 }
    }

    /// The same document from its beginning.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.source)
    }

    /// The number of all bytes.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The first bytes, at most `length`. The position stays.
    pub(crate) fn head(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let position = self.position;
        self.position = 0;
        let mut head = Vec::new();
        let result = self.by_ref().take(length as u64).read_to_end(&mut head);
        self.position = position;
        result.map(|_| head)
    }

    /// All bytes from the beginning, or the failure `too-large` if there are more than `most`.
    pub(crate) fn read_all(&mut self, most: u64) -> Result<Vec<u8>, Failure> {
        if self.size > most {
            return Err(Failure::too_large("The file is larger than a document of its format may be."));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(self.size).unwrap_or_default());
        while (bytes.len() as u64) < self.size {
            let more = self.source.read(bytes.len() as u64, 1024 * 1024);
            if more.is_empty() {
                return Err(Failure::damaged("The file ends earlier than its size says."));
            }
            bytes.extend_from_slice(&more);
        }
        bytes.truncate(usize::try_from(self.size).unwrap_or(usize::MAX));
        Ok(bytes)
    }

    /// What is in the read-ahead from the position on.
    fn rest(&self) -> &[u8] {
        let skip = self.position.checked_sub(self.ahead_from).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.ahead.get(skip..)).unwrap_or_default()
    }
}

impl Read for Document<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position >= self.size {
            return Ok(0);
        }
        if self.rest().is_empty() {
            self.ahead = self.source.read(self.position, AHEAD);
            self.ahead_from = self.position;
        }
        let rest = self.rest();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Document<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.size.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives at most three bytes at a time, as a host may.
    struct Slow<'a>(&'a [u8]);

    impl Source for Slow<'_> {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read(&self, offset: u64, length: u32) -> Vec<u8> {
            Source::read(&self.0, offset, length.min(3))
        }
    }

    #[test]
    fn what_is_read_and_sought_is_what_the_source_holds() {
        let source = Slow(b"0123456789");
        let mut document = Document::new(&source);
        let mut text = String::new();
        document.seek(SeekFrom::End(-4)).expect("inside");
        document.read_to_string(&mut text).expect("digits");
        document.seek(SeekFrom::Start(1)).expect("inside");
        document.by_ref().take(3).read_to_string(&mut text).expect("digits");
        document.seek(SeekFrom::Current(-2)).expect("inside");
        document.by_ref().take(2).read_to_string(&mut text).expect("digits");
        assert_eq!(text, "678912323");
        assert_eq!(document.head(4).expect("digits"), b"0123");
        assert_eq!(document.read_all(10).expect("ten bytes"), b"0123456789");
        assert!(document.read_all(9).is_err());
    }

    #[test]
    fn places_outside_of_the_document_hold_nothing() {
        let source: &[u8] = b"0123";
        let mut document = Document::new(&source);
        assert!(document.seek(SeekFrom::Current(-1)).is_err());
        assert_eq!(document.seek(SeekFrom::Start(u64::MAX)).expect("any place"), u64::MAX);
        assert_eq!(document.read(&mut [0; 4]).expect("nothing is there"), 0);
    }
}
