//! A session that reads the server's log of changes: commands of the replication protocol, then a stream of messages in both
//! directions (<https://www.postgresql.org/docs/16/protocol-replication.html>).

use bytes::{Buf, BufMut, Bytes, BytesMut};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::error::WireError;
use super::frame::closed;
use super::row::TextRow;
use super::startup::{self, Purpose};
use super::stream::Stream;
use super::target::Target;

/// Bytes read from the socket at once.
const READ_CHUNK: usize = 64 * 1024;

/// After a message of more bytes the buffer is a new one.
const KEPT_BYTES: usize = 1024 * 1024;

/// The largest answer to a command, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;

/// How much of a message is kept that is too large: enough to tell what it is about.
const HEAD: usize = 64;

/// A tag and the length that counts itself.
const HEADER: usize = 5;

/// A message of the stream.
#[derive(Debug)]
pub enum Copied {
    /// Its bytes.
    Data(Bytes),
    /// The beginning of one that had more bytes than allowed; the rest is thrown away.
    Oversize(Bytes),
}

/// A logged-in session for replication.
#[derive(Debug)]
pub struct Replication {
    stream: Stream,
    buffer: BytesMut,
    /// What is still to be thrown away of a message that was too large. It stays when the reading future is dropped.
    skipping: usize,
}

/// A message as it came.
enum Raw {
    Whole(u8, BytesMut),
    Cut(u8, Bytes),
}

impl Replication {
    /// Connects and logs in; `options` are settings of the session.
    pub async fn connect(target: &Target, options: &str) -> Result<Self, WireError> {
        let ready = startup::connect(target, options, Purpose::Replication).await?;
        Ok(Self { stream: ready.stream, buffer: ready.frames.into_rest(), skipping: 0 })
    }

    /// Runs a command or statement and returns its rows. Without parameters: the text is the caller's to make.
    pub async fn query(&mut self, text: &str) -> Result<Vec<TextRow>, WireError> {
        self.send(text).await?;
        let (mut rows, mut failure, mut left) = (Vec::new(), None, MAX_ANSWER);
        loop {
            let mut whole = match self.raw(MAX_ANSWER).await? {
                Raw::Whole(_, whole) => whole,
                Raw::Cut(..) => return Err(WireError::Protocol("an answer is too large")),
            };
            left = left.checked_sub(whole.len()).ok_or(WireError::Protocol("an answer is too large"))?;
            match Message::parse(&mut whole)? {
                Some(Message::DataRow(row)) => rows.push(TextRow::read(&row)?),
                Some(Message::ErrorResponse(body)) => failure = Some(WireError::of_statement(body.fields())),
                Some(Message::ReadyForQuery(_)) => return failure.map_or(Ok(rows), Err),
                _ => {}
            }
        }
    }

    /// Runs the command that starts the stream.
    pub async fn start(&mut self, command: &str) -> Result<(), WireError> {
        self.send(command).await?;
        loop {
            match self.raw(MAX_ANSWER).await? {
                Raw::Whole(b'W', _) => return Ok(()),
                Raw::Whole(b'E', whole) => {
                    let error = server_error(whole)?;
                    // What follows an error of a command is that the server is ready for the next one.
                    while !matches!(self.raw(MAX_ANSWER).await?, Raw::Whole(b'Z', _)) {}
                    return Err(error);
                }
                Raw::Whole(b'N' | b'S', _) => {}
                _ => return Err(WireError::Protocol("unexpected answer to the start of a stream")),
            }
        }
    }

    /// The next message of the stream. This can be dropped and called again.
    pub async fn next(&mut self, max_bytes: usize) -> Result<Copied, WireError> {
        loop {
            match self.raw(max_bytes).await? {
                Raw::Whole(b'd', mut whole) => {
                    whole.advance(HEADER);
                    return Ok(Copied::Data(whole.freeze()));
                }
                Raw::Cut(b'd', mut head) => {
                    head.advance(HEADER);
                    return Ok(Copied::Oversize(head));
                }
                Raw::Whole(b'E', whole) => return Err(server_error(whole)?),
                Raw::Whole(b'N' | b'S', _) => {}
                Raw::Whole(b'c', _) => return Err(closed()),
                _ => return Err(WireError::Protocol("unexpected message in a stream")),
            }
        }
    }

    /// Sends a message of the stream.
    pub async fn tell(&mut self, message: &[u8]) -> Result<(), WireError> {
        let mut out = BytesMut::with_capacity(message.len() + HEADER);
        let length = u32::try_from(message.len() + 4).map_err(|_| WireError::Protocol("a message is too large"))?;
        out.put_u8(b'd');
        out.put_u32(length);
        out.put_slice(message);
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    /// Says that nothing more comes, so that the server frees what the session has at once.
    pub async fn close(mut self) {
        self.stream.shutdown().await.ok();
    }

    async fn send(&mut self, text: &str) -> Result<(), WireError> {
        let mut out = BytesMut::new();
        frontend::query(text, &mut out)?;
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    async fn raw(&mut self, max_bytes: usize) -> Result<Raw, WireError> {
        self.skip().await?;
        loop {
            if let Some((tag, length)) = header(&self.buffer)? {
                if length > max_bytes.max(HEAD) && self.buffer.len() >= HEAD {
                    let head = Bytes::copy_from_slice(self.buffer.get(..HEAD).unwrap_or_default());
                    self.skipping = length;
                    return Ok(Raw::Cut(tag, head));
                }
                if length <= max_bytes.max(HEAD) && self.buffer.len() >= length {
                    let whole = self.buffer.split_to(length);
                    if length > KEPT_BYTES {
                        self.buffer = BytesMut::from(&self.buffer[..]);
                    }
                    return Ok(Raw::Whole(tag, whole));
                }
            }
            self.fill().await?;
        }
    }

    async fn skip(&mut self) -> Result<(), WireError> {
        loop {
            let here = self.skipping.min(self.buffer.len());
            self.buffer.advance(here);
            self.skipping -= here;
            if self.skipping == 0 {
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), WireError> {
        self.buffer.reserve(READ_CHUNK);
        if self.stream.read_buf(&mut self.buffer).await? == 0 { Err(closed()) } else { Ok(()) }
    }
}

/// A message's tag, and its length with tag and length.
fn header(buffer: &[u8]) -> Result<Option<(u8, usize)>, WireError> {
    let Some([tag, length @ ..]) = buffer.first_chunk::<HEADER>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| WireError::Protocol("a length"))?;
    if length < 4 {
        return Err(WireError::Protocol("a length is too small"));
    }
    Ok(Some((*tag, length + 1)))
}

fn server_error(mut whole: BytesMut) -> Result<WireError, WireError> {
    match Message::parse(&mut whole)? {
        Some(Message::ErrorResponse(body)) => Ok(WireError::of_statement(body.fields())),
        _ => Err(WireError::Protocol("an error cannot be read")),
    }
}
