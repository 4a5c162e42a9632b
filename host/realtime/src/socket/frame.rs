//! Frames of websockets (RFC 6455), as a server reads and writes them.
//!
//! An idle socket keeps no buffer, and what is sent is not copied: the bytes of a broadcast are shared by all sockets. A library
//! keeps a buffer of the largest message for each socket, which one broadcast to 10,000 of them would fill. No extension is
//! offered, so a frame with a reserved bit is an error and nothing is ever decompressed.

use bytes::{Buf as _, Bytes, BytesMut};

/// The longest header: two bytes, a length of eight.
pub(super) const MAX_HEADER: usize = 10;
/// The most bytes of a control frame's content.
const MAX_CONTROL: usize = 125;

/// What kinds of frames there are, as numbers.
const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// A whole text, which may not be UTF-8.
    Text(Bytes),
    /// A whole binary message.
    Binary(Bytes),
    /// It asks whether the server is there.
    Ping(Bytes),
    /// It is there.
    Pong,
    /// It closes the socket.
    Close,
}

/// Why a frame ends its socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameError {
    /// It breaks the protocol.
    Protocol,
    /// It is too large.
    TooLarge,
}

/// Reads frames out of the bytes of a socket.
#[derive(Debug)]
pub(super) struct Decoder {
    /// What came and makes no whole frame yet.
    buffer: BytesMut,
    /// The frames so far of a message in several ones, and its kind.
    partial: Option<(u8, BytesMut)>,
    max_message: usize,
}

/// A frame's header.
struct Header {
    is_last: bool,
    opcode: u8,
    mask: [u8; 4],
    /// Bytes of the header itself.
    size: usize,
    length: usize,
}

impl Decoder {
    /// Reads messages of at most so many bytes.
    pub(super) fn new(max_message: usize) -> Self {
        Self { buffer: BytesMut::new(), partial: None, max_message }
    }

    /// Takes bytes of the socket.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next message, if it is complete.
    pub(super) fn next(&mut self) -> Result<Option<Input>, FrameError> {
        loop {
            let Some(header) = self.header()? else { return Ok(None) };
            if self.buffer.len() < header.size + header.length {
                return Ok(None);
            }
            let mut content = self.buffer.split_to(header.size + header.length);
            if self.buffer.is_empty() {
                self.buffer = BytesMut::new();
            }
            content.advance(header.size);
            for (byte, mask) in content.iter_mut().zip(header.mask.iter().cycle()) {
                *byte ^= mask;
            }
            if let Some(input) = self.take(&header, content)? {
                return Ok(Some(input));
            }
        }
    }

    /// The header at the beginning, if it is complete.
    fn header(&self) -> Result<Option<Header>, FrameError> {
        let Some([first, second]) = self.buffer.first_chunk::<2>() else { return Ok(None) };
        let (is_last, reserved, opcode) = (first & 0x80 != 0, first & 0x70, first & 0x0f);
        let (is_masked, short) = (second & 0x80 != 0, usize::from(second & 0x7f));
        let is_control = opcode >= CLOSE;
        // Clients have to mask what they send.
        if reserved != 0 || !is_masked || (is_control && (!is_last || short > MAX_CONTROL)) {
            return Err(FrameError::Protocol);
        }
        let rest = &self.buffer[2..];
        let (length, of_length) = match short {
            126 => match rest.first_chunk::<2>() {
                Some(bytes) => (u64::from(u16::from_be_bytes(*bytes)), 2),
                None => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(bytes) => (u64::from_be_bytes(*bytes), 8),
                None => return Ok(None),
            },
            short => (short as u64, 0),
        };
        // Before any of it is kept.
        let so_far = self.partial.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.max_message.saturating_sub(if is_control { 0 } else { so_far }) && !is_control {
            return Err(FrameError::TooLarge);
        }
        let Some(mask) = rest[of_length..].first_chunk::<4>() else { return Ok(None) };
        Ok(Some(Header { is_last, opcode, mask: *mask, size: 2 + of_length + 4, length }))
    }

    /// What a whole frame means.
    fn take(&mut self, header: &Header, content: BytesMut) -> Result<Option<Input>, FrameError> {
        match (header.opcode, self.partial.take()) {
            (CLOSE, _) => Ok(Some(Input::Close)),
            (PING, partial) => {
                self.partial = partial;
                Ok(Some(Input::Ping(content.freeze())))
            }
            (PONG, partial) => {
                self.partial = partial;
                Ok(Some(Input::Pong))
            }
            (opcode @ (TEXT | BINARY), None) if header.is_last => Ok(Some(whole(opcode, content.freeze()))),
            (opcode @ (TEXT | BINARY), None) => {
                // A buffer of its own: the frame is a part of the one that the socket's bytes are read into.
                self.partial = Some((opcode, BytesMut::from(&content[..])));
                Ok(None)
            }
            (CONTINUATION, Some((opcode, mut bytes))) => {
                bytes.extend_from_slice(&content);
                if header.is_last {
                    return Ok(Some(whole(opcode, bytes.freeze())));
                }
                self.partial = Some((opcode, bytes));
                Ok(None)
            }
            _ => Err(FrameError::Protocol),
        }
    }
}

fn whole(opcode: u8, content: Bytes) -> Input {
    if opcode == TEXT { Input::Text(content) } else { Input::Binary(content) }
}

/// A frame to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    Text,
    Binary,
    Pong,
    Close,
}

/// The header of a frame that is sent, with the number of its bytes.
pub(super) fn header(output: Output, length: usize) -> ([u8; MAX_HEADER], usize) {
    let opcode = match output {
        Output::Text => TEXT,
        Output::Binary => BINARY,
        Output::Pong => PONG,
        Output::Close => CLOSE,
    };
    let mut header = [0; MAX_HEADER];
    header[0] = 0x80 | opcode;
    let size = match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => {
            header[1] = short;
            2
        }
        (_, Ok(middle)) => {
            header[1] = 126;
            header[2..4].copy_from_slice(&middle.to_be_bytes());
            4
        }
        _ => {
            header[1] = 127;
            header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            10
        }
    };
    (header, size)
}

/// The content of a close frame: a code and at most 123 bytes of text.
pub(super) fn close(code: u16, reason: &'static str) -> Bytes {
    let mut content = Vec::with_capacity(2 + reason.len());
    content.extend_from_slice(&code.to_be_bytes());
    content.extend_from_slice(reason.as_bytes());
    content.truncate(MAX_CONTROL);
    content.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 1_000;

    /// A frame as a client sends it.
    fn frame(first: u8, content: &[u8]) -> Vec<u8> {
        let mask = [7, 1, 9, 200];
        let (mut header, size) = header(Output::Text, content.len());
        header[0] = first;
        header[1] |= 0x80;
        let masked = content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
        header[..size].iter().copied().chain(mask).chain(masked).collect()
    }

    fn read(bytes: &[u8]) -> Result<Vec<Input>, FrameError> {
        let mut decoder = Decoder::new(MAX);
        let mut found = Vec::new();
        // In every way that a network can cut it.
        for byte in bytes {
            decoder.feed(&[*byte]);
            while let Some(input) = decoder.next()? {
                found.push(input);
            }
        }
        Ok(found)
    }

    #[test]
    fn messages_are_read_whole_and_in_pieces_with_control_frames_between() {
        let text = |text: &[u8]| Input::Text(Bytes::copy_from_slice(text));
        assert_eq!(read(&frame(0x81, b"hello")), Ok(vec![text(b"hello")]));
        assert_eq!(read(&frame(0x82, &[0; 300])), Ok(vec![Input::Binary(Bytes::from(vec![0; 300]))]));
        let pieces = [frame(0x01, b"a"), frame(0x89, b"?"), frame(0x00, b"b"), frame(0x8a, b""), frame(0x80, b"c")];
        assert_eq!(read(&pieces.concat()), Ok(vec![Input::Ping(Bytes::from_static(b"?")), Input::Pong, text(b"abc")]));
        assert_eq!(read(&frame(0x88, &[3, 232])), Ok(vec![Input::Close]));
        let mut decoder = Decoder::new(MAX);
        decoder.feed(&[frame(0x81, b"a"), frame(0x81, b"b")].concat());
        assert_eq!(decoder.next(), Ok(Some(text(b"a"))));
        assert_eq!(decoder.next(), Ok(Some(text(b"b"))));
        assert_eq!(decoder.next(), Ok(None));
        assert_eq!(decoder.buffer.capacity(), 0, "an idle socket keeps no buffer");
    }

    #[test]
    fn what_breaks_the_protocol_is_an_error() {
        for first in [0xc1, 0xa1, 0x91, 0x83, 0x8b, 0x80, 0x00, 0x09, 0x08] {
            assert_eq!(read(&frame(first, b"x")), Err(FrameError::Protocol), "{first:x}");
        }
        assert_eq!(read(&frame(0x89, &[0; 126])), Err(FrameError::Protocol), "a long ping");
        assert_eq!(read(&[0x81, 0x01, b'x']), Err(FrameError::Protocol), "without a mask");
        let twice = [frame(0x01, b"a"), frame(0x01, b"b")].concat();
        assert_eq!(read(&twice), Err(FrameError::Protocol), "a message within another");
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_by_its_header() {
        assert!(read(&frame(0x82, &[0; MAX])).is_ok());
        assert_eq!(read(&frame(0x82, &[0; MAX + 1])[..8]), Err(FrameError::TooLarge));
        let huge = [0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(read(&huge), Err(FrameError::TooLarge));
        let pieces = [frame(0x02, &[0; 600]), frame(0x80, &[0; 401])].concat();
        assert_eq!(read(&pieces), Err(FrameError::TooLarge));
        let pieces = [frame(0x02, &[0; 600]), frame(0x80, &[0; 400])].concat();
        assert!(read(&pieces).is_ok());
    }

    #[test]
    fn random_bytes_end_in_an_error_or_wait_for_more() {
        // A generator of its own, so that a failure can be repeated: xorshift64.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let length = random() % 64;
            let mut bytes: Vec<u8> = (0..length).map(|_| random().to_le_bytes()[0]).collect();
            if let Some(second) = bytes.get_mut(1) {
                *second |= 0x80;
            }
            drop(read(&bytes));
        }
    }

    #[test]
    fn headers_are_as_short_as_they_can_be() {
        assert_eq!(header(Output::Text, 125).1, 2);
        assert_eq!(header(Output::Text, 126).1, 4);
        assert_eq!(header(Output::Text, 65_535).1, 4);
        assert_eq!(header(Output::Binary, 65_536).1, 10);
        assert_eq!(close(1012, "x"), Bytes::from_static(&[3, 244, b'x']));
    }
}
