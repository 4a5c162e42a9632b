//! The bytes of one socket: frames are read and written, and nothing is kept while it is idle.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::end::End;
use super::frame::{self, Decoder, Input, MAX_HEADER, Output};
use crate::channel::Frame;

/// Bytes that are read at once.
const READ: usize = 8 * 1024;
/// Bytes and frames that are handed to the socket at once.
const WRITE: usize = 64 * 1024;
const FRAMES: usize = 16;

/// A socket's two directions.
pub(super) struct Connection<IO> {
    io: IO,
    decoder: Decoder,
    /// Frames on their way.
    writing: VecDeque<Piece>,
    /// The last question of the client whether the server is there. Earlier ones need no answer.
    pong: Option<Bytes>,
}

/// A frame on its way.
struct Piece {
    header: [u8; MAX_HEADER],
    header_size: usize,
    content: Bytes,
    /// Bytes of header and content that are sent.
    sent: usize,
}

impl Piece {
    fn new(output: Output, content: Bytes) -> Self {
        let (header, header_size) = frame::header(output, content.len());
        Self { header, header_size, content, sent: 0 }
    }

    fn left(&self) -> usize {
        self.header_size + self.content.len() - self.sent
    }

    /// The two parts that are not sent yet.
    fn parts(&self) -> [&[u8]; 2] {
        let header = &self.header[self.sent.min(self.header_size)..self.header_size];
        let content = &self.content[self.sent.saturating_sub(self.header_size)..];
        [header, content]
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Connection<IO> {
    pub(super) fn new(io: IO, max_message: usize) -> Self {
        Self { io, decoder: Decoder::new(max_message), writing: VecDeque::new(), pong: None }
    }

    /// The next message of the client. Pings are answered.
    pub(super) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Input, End>> {
        loop {
            match self.decoder.next()? {
                Some(Input::Ping(content)) => {
                    self.pong = Some(content);
                    return Poll::Ready(Ok(Input::Pong));
                }
                Some(input) => return Poll::Ready(Ok(input)),
                None => {}
            }
            let mut space = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut space);
            if ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)).is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Err(End::Gone));
            }
            self.decoder.feed(buffer.filled());
        }
    }

    /// Sends what `next` gives, until it gives nothing more. Ready when all is sent. `progress` hears of each write whether the
    /// client takes it.
    pub(super) fn poll_output(
        &mut self,
        cx: &mut Context<'_>,
        mut next: impl FnMut() -> Option<Frame>,
        mut progress: impl FnMut(bool),
    ) -> Poll<io::Result<()>> {
        loop {
            if let Some(content) = self.pong.take() {
                self.writing.push_back(Piece::new(Output::Pong, content));
            }
            let mut bytes: usize = self.writing.iter().map(Piece::left).sum();
            while bytes < WRITE && self.writing.len() < FRAMES {
                let Some(frame) = next() else { break };
                let piece = match frame {
                    Frame::Text(content) => Piece::new(Output::Text, content),
                    Frame::Binary(content) => Piece::new(Output::Binary, content),
                };
                bytes += piece.left();
                self.writing.push_back(piece);
            }
            if self.writing.is_empty() {
                self.writing = VecDeque::new();
                return Poll::Ready(Ok(()));
            }
            match self.poll_write(cx) {
                Poll::Ready(written) => {
                    written?;
                    progress(true);
                }
                Poll::Pending => {
                    progress(false);
                    return Poll::Pending;
                }
            }
        }
    }

    /// Writes some of the frames on their way.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); 2 * FRAMES];
        let parts = self.writing.iter().flat_map(Piece::parts).filter(|part| !part.is_empty());
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(parts) {
            *slice = IoSlice::new(part);
            count += 1;
        }
        let mut written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &slices[..count]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        while let Some(first) = self.writing.front_mut() {
            let left = first.left();
            if written < left {
                first.sent += written;
                break;
            }
            written -= left;
            self.writing.pop_front();
        }
        Poll::Ready(Ok(()))
    }

    /// Ends the frame under way, says that the socket closes, and waits for the client to do so too.
    pub(super) async fn close(&mut self, code: u16, reason: &'static str) {
        self.writing.truncate(1);
        if self.writing.front().is_some_and(|first| first.sent == 0) {
            self.writing.clear();
        }
        self.writing.push_back(Piece::new(Output::Close, frame::close(code, reason)));
        let sent = std::future::poll_fn(|cx| self.poll_output(cx, || None, |_| {})).await;
        if sent.is_err() || tokio::io::AsyncWriteExt::shutdown(&mut self.io).await.is_err() {
            return;
        }
        // What is not read when a socket closes makes the system throw away what the client has not read yet.
        let mut rest = [0; 1024];
        while self.io.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn frames_arrive_whole_through_a_socket_of_a_few_bytes() {
        let (client, server) = tokio::io::duplex(7);
        let mut connection = Connection::new(server, 1_000);
        let mut frames: VecDeque<Frame> =
            (0..200_usize).map(|n| Frame::Text(Bytes::from(format!("{n:0width$}", width = n % 90 + 3)))).collect();
        let sent = tokio::spawn(async move {
            std::future::poll_fn(|cx| connection.poll_output(cx, || frames.pop_front(), |_| {})).await
        });
        let (mut read, mut client) = (Vec::new(), client);
        let mut buffer = [0; 5];
        loop {
            let count = client.read(&mut buffer).await.expect("a read");
            if count == 0 {
                break;
            }
            read.extend_from_slice(&buffer[..count]);
        }
        sent.await.expect("no panic").expect("sent");
        let mut rest = &read[..];
        for n in 0..200_usize {
            let length = n % 90 + 3;
            assert_eq!(rest[..2], [0x81, u8::try_from(length).expect("short")]);
            assert_eq!(std::str::from_utf8(&rest[2..2 + length]).expect("text").parse(), Ok(n));
            rest = &rest[2 + length..];
        }
        assert!(rest.is_empty());
    }

    #[tokio::test]
    async fn a_ping_is_answered_once_for_all_that_came_together() {
        let (mut client, server) = tokio::io::duplex(1_000);
        let mut connection = Connection::new(server, 1_000);
        client.write_all(&[0x89, 0x81, 0, 0, 0, 0, b'a', 0x89, 0x81, 0, 0, 0, 0, b'b']).await.expect("sent");
        for _ in 0..2 {
            let input = std::future::poll_fn(|cx| connection.poll_input(cx)).await;
            assert_eq!(input, Ok(Input::Pong));
        }
        std::future::poll_fn(|cx| connection.poll_output(cx, || None, |_| {})).await.expect("sent");
        let mut answer = [0; 16];
        assert_eq!(client.read(&mut answer).await.expect("an answer"), 3);
        assert_eq!(answer[..3], [0x8a, 1, b'b']);
        drop(client);
        assert_eq!(std::future::poll_fn(|cx| connection.poll_input(cx)).await, Err(End::Gone));
    }
}
