//! Reads the server's messages with a limit on each one's size.

use std::io;

use bytes::{Buf, BytesMut};
use postgres_protocol::message::backend::{DATA_ROW_TAG, Header, Message};
use tokio::io::AsyncReadExt;

use super::error::WireError;
use super::stream::Stream;

/// Largest message that is not a row: errors, notices, row descriptions.
const MAX_OTHER_BYTES: usize = 1024 * 1024;

/// Bytes read from the socket at once.
const READ_CHUNK: usize = 16 * 1024;

/// After a message of more bytes the buffer is a new one, so that an idle connection does not keep the memory of its largest row.
const KEPT_BYTES: usize = 256 * 1024;

/// A message, or the note that a row was too large and was discarded while it arrived.
pub(super) enum Frame {
    Message(Message),
    OversizeRow,
}

/// Splits the server's bytes into messages and never holds a message larger than allowed: one row may have a gigabyte,
/// and a guest's statement chooses the row.
#[derive(Debug)]
pub(super) struct Frames {
    buffer: BytesMut,
    /// What is still to be thrown away of a row that was too large. It stays when the reading future is dropped.
    skipping: usize,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self { buffer: BytesMut::with_capacity(READ_CHUNK), skipping: 0 }
    }

    pub(super) async fn next(&mut self, stream: &mut Stream, max_row_bytes: usize) -> Result<Frame, WireError> {
        self.skip(stream).await?;
        loop {
            if let Some(header) = Header::parse(&self.buffer)? {
                let length = usize::try_from(header.len()).map_err(|_| WireError::Protocol("negative length"))? + 1;
                if header.tag() == DATA_ROW_TAG && length > max_row_bytes {
                    self.skipping = length;
                    self.skip(stream).await?;
                    return Ok(Frame::OversizeRow);
                }
                if header.tag() != DATA_ROW_TAG && length > MAX_OTHER_BYTES {
                    return Err(WireError::Protocol("a message is too large"));
                }
                if let Some(message) = Message::parse(&mut self.buffer)? {
                    if length > KEPT_BYTES {
                        self.buffer = BytesMut::from(&self.buffer[..]);
                    }
                    return Ok(Frame::Message(message));
                }
                self.buffer.reserve(length.saturating_sub(self.buffer.len()));
            } else {
                self.buffer.reserve(READ_CHUNK);
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(closed());
            }
        }
    }

    /// What has been read and not been looked at.
    pub(super) fn into_rest(self) -> BytesMut {
        self.buffer
    }

    async fn skip(&mut self, stream: &mut Stream) -> Result<(), WireError> {
        loop {
            let here = self.skipping.min(self.buffer.len());
            self.buffer.advance(here);
            self.skipping -= here;
            if self.skipping == 0 {
                return Ok(());
            }
            self.buffer.reserve(READ_CHUNK);
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(closed());
            }
        }
    }
}

pub(super) fn closed() -> WireError {
    WireError::Io(io::Error::from(io::ErrorKind::UnexpectedEof))
}
