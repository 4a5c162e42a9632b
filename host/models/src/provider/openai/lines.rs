//! Splits a body into server-sent events. In this protocol each event is one `data:` line.

use crate::ModelError;

/// The most bytes of one line. A line may contain a whole tool call.
const MAX_LINE_BYTES: usize = 2 << 20;
/// The most bytes of a whole answer; each token arrives in an event of some hundred bytes.
const MAX_BODY_BYTES: usize = 64 << 20;

/// Bytes that have arrived and are not yet parsed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// The offset up to which the buffer contains no end of a line.
    searched: usize,
    body_bytes: usize,
}

impl Lines {
    /// Adds the next bytes of the body. Call it when [`Lines::next_data`] has returned `None`.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        self.buffer.drain(..self.start);
        self.searched = self.searched.saturating_sub(self.start);
        self.start = 0;
        self.body_bytes = self.body_bytes.saturating_add(bytes.len());
        if self.buffer.len() > MAX_LINE_BYTES {
            return Err(ModelError::TooLong("a line of it is too long"));
        }
        if self.body_bytes > MAX_BODY_BYTES {
            return Err(ModelError::TooLong("it does not end"));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The content of the next complete `data:` line. Comments and other fields are skipped.
    pub(super) fn next_data(&mut self) -> Option<Vec<u8>> {
        while let Some(line) = self.next_line() {
            if let Some(data) = line.strip_prefix(b"data:").map(<[u8]>::trim_ascii)
                && !data.is_empty()
            {
                return Some(data.to_vec());
            }
        }
        None
    }

    fn next_line(&mut self) -> Option<&[u8]> {
        let from = self.searched.max(self.start);
        let Some(length) = self.buffer.get(from..)?.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return None;
        };
        let (start, end) = (self.start, from + length);
        self.start = end + 1;
        self.searched = self.start;
        self.buffer.get(start..end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(parts: &[&str]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut read = Vec::new();
        for part in parts {
            lines.push(part.as_bytes()).expect("it is short");
            while let Some(data) = lines.next_data() {
                read.push(String::from_utf8_lossy(&data).into_owned());
            }
        }
        read
    }

    #[test]
    fn data_lines_are_read_however_they_are_cut() {
        let text = ": hello\r\nevent: x\r\ndata: one\r\n\r\ndata:two\n\ndata:\n\nid: 7\rdata:  thrée \r\rdata: lost";
        let expected = ["one", "two", "thrée"];
        assert_eq!(read(&[text]), expected);
        let bytes: Vec<_> = text.chars().map(String::from).collect();
        assert_eq!(read(&bytes.iter().map(String::as_str).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn a_line_or_a_body_without_an_end_is_refused() {
        for piece in ["x".repeat(1 << 16), ": x\n".repeat(1 << 14)] {
            let mut lines = Lines::default();
            let refused = (0..2_000).find_map(|_| {
                let pushed = lines.push(piece.as_bytes());
                while lines.next_data().is_some() {}
                assert!(lines.buffer.len() <= MAX_LINE_BYTES + piece.len());
                pushed.err()
            });
            assert!(matches!(refused, Some(ModelError::TooLong(_))));
        }
    }
}
