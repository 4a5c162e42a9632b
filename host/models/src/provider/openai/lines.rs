//! Splits a body into the lines of server-sent events.

use crate::ModelError;

/// The most bytes of one line. A line may contain a whole tool call.
const MAX_LINE_BYTES: usize = 2 << 20;
/// The most bytes of a whole answer; each token arrives in an event of some hundred bytes.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;

/// Bytes that have arrived and are not yet parsed.
#[derive(Debug, Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// The offset up to which the buffer contains no end of a line.
    searched: usize,
    /// Whether the last line ended with a carriage return, so that a line feed after it ends no other one.
    after_return: bool,
    body_bytes: usize,
    /// Whether the event that is read is named `error`.
    is_error: bool,
}

/// A line that says something.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The content of a `data:` line.
    Data(Vec<u8>),
    /// The content of a `data:` line of an event named `error`, or of a line `error:`, which llama.cpp writes.
    Error(Vec<u8>),
    /// The end of an event.
    End,
}

impl Lines {
    /// Adds the next bytes of the body. Call it when [`Lines::next`] has returned `None`.
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

    /// The next complete line that says something. Comments and other fields are skipped.
    pub(super) fn next(&mut self) -> Option<Line> {
        while let Some(line) = self.next_line() {
            let is_error = self.is_error;
            let field = |name: &[u8]| line.strip_prefix(name).map(<[u8]>::trim_ascii);
            if line.is_empty() {
                self.is_error = false;
                return Some(Line::End);
            }
            if let Some(data) = field(b"data:").filter(|data| !data.is_empty()) {
                return Some(if is_error { Line::Error(data.to_vec()) } else { Line::Data(data.to_vec()) });
            }
            if let Some(error) = field(b"error:").filter(|error| !error.is_empty()) {
                return Some(Line::Error(error.to_vec()));
            }
            if let Some(event) = field(b"event:") {
                self.is_error = event == b"error";
            }
        }
        None
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        if self.after_return && self.start < self.buffer.len() {
            self.after_return = false;
            if self.buffer.get(self.start) == Some(&b'\n') {
                self.start += 1;
            }
        }
        let from = self.searched.max(self.start);
        let Some(length) = self.buffer.get(from..)?.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            self.searched = self.buffer.len();
            return None;
        };
        let (start, end) = (self.start, from + length);
        self.after_return = self.buffer.get(end) == Some(&b'\r');
        self.start = end + 1;
        self.searched = self.start;
        self.buffer.get(start..end).map(<[u8]>::to_vec)
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
            while let Some(line) = lines.next() {
                match line {
                    Line::Data(data) => read.push(String::from_utf8_lossy(&data).into_owned()),
                    Line::Error(data) => read.push(format!("error {}", String::from_utf8_lossy(&data))),
                    Line::End => {}
                }
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
    fn errors_are_told_by_their_events_name_or_their_own_field() {
        let text = "event: error\r\ndata: one\r\n\r\ndata: two\n\nerror: three\n\n";
        let expected = ["error one", "two", "error three"];
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
                while lines.next().is_some() {}
                assert!(lines.buffer.len() <= MAX_LINE_BYTES + piece.len());
                pushed.err()
            });
            assert!(matches!(refused, Some(ModelError::TooLong(_))));
        }
    }
}
