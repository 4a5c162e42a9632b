//! The bytes of a request's body, cut into pieces: after each, what came is stored.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures::task::AtomicWaker;
use futures::{Stream, StreamExt as _};

/// The body of a request, at most so many bytes of it.
pub(super) struct Incoming {
    body: BodyDataStream,
    /// What was received and belongs to the next piece.
    rest: Option<Bytes>,
    left: u64,
    end: Option<End>,
    stop: Arc<Stop>,
}

/// How the body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All of it came.
    Whole,
    /// There are more bytes than may come.
    TooMuch,
    /// The client went away or fell silent.
    Broken,
    /// It was stopped.
    Stopped,
}

/// Stops a body, from another part of the same task.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_set: AtomicBool,
    waker: AtomicWaker,
}

impl Stop {
    /// Lets no more bytes come.
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::Release);
        self.waker.wake();
    }
}

/// One piece of a body. It ends as the body does, whatever the reason is: the bytes before are kept.
pub(super) struct Piece<'a> {
    incoming: &'a mut Incoming,
    left: usize,
}

impl Incoming {
    /// The body, of which at most `left` bytes may come.
    pub(super) fn new(body: Body, left: u64) -> Self {
        Self { body: body.into_data_stream(), rest: None, left, end: None, stop: Arc::default() }
    }

    /// How the body ended, if it did.
    pub(super) fn end(&self) -> Option<End> {
        self.end
    }

    /// What stops it.
    pub(super) fn stop(&self) -> Arc<Stop> {
        Arc::clone(&self.stop)
    }

    /// The next piece of at most so many bytes.
    pub(super) fn piece(&mut self, size: usize) -> Piece<'_> {
        Piece { incoming: self, left: size }
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(rest) = self.rest.take() {
            return Poll::Ready(Some(rest));
        }
        if self.end.is_some() {
            return Poll::Ready(None);
        }
        self.stop.waker.register(cx.waker());
        if self.stop.is_set.load(Ordering::Acquire) {
            self.end = Some(End::Stopped);
            return Poll::Ready(None);
        }
        match ready!(self.body.poll_next_unpin(cx)) {
            Some(Ok(bytes)) => match self.left.checked_sub(bytes.len() as u64) {
                Some(left) => {
                    self.left = left;
                    return Poll::Ready(Some(bytes));
                }
                None => self.end = Some(End::TooMuch),
            },
            Some(Err(_)) => self.end = Some(End::Broken),
            None => self.end = Some(End::Whole),
        }
        Poll::Ready(None)
    }
}

impl Stream for Piece<'_> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let Some(mut bytes) = ready!(self.incoming.poll_bytes(cx)) else { return Poll::Ready(None) };
        if bytes.len() > self.left {
            self.incoming.rest = Some(bytes.split_off(self.left));
        }
        self.left -= bytes.len();
        Poll::Ready(Some(Ok(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    fn body(chunks: &'static [Result<&'static str, &'static str>]) -> Body {
        let chunks = stream::iter(chunks.iter().map(|chunk| match chunk {
            Ok(text) => Ok(Bytes::from_static(text.as_bytes())),
            Err(text) => Err(std::io::Error::other(*text)),
        }));
        Body::from_stream(chunks)
    }

    async fn pieces(incoming: &mut Incoming, size: usize) -> Vec<String> {
        let mut all = Vec::new();
        while incoming.end().is_none() {
            let piece: Vec<_> = incoming.piece(size).map(|bytes| bytes.expect("never fails")).collect().await;
            all.push(String::from_utf8(piece.concat()).expect("text"));
        }
        all
    }

    #[tokio::test]
    async fn a_body_is_cut_into_pieces_and_none_of_it_is_lost() {
        let mut incoming = Incoming::new(body(&[Ok("abcde"), Ok("f"), Ok("gh")]), 8);
        assert_eq!(pieces(&mut incoming, 3).await, ["abc", "def", "gh"]);
        assert_eq!(incoming.end(), Some(End::Whole));
    }

    #[tokio::test]
    async fn what_came_before_the_end_is_kept() {
        let mut broken = Incoming::new(body(&[Ok("abc"), Err("gone")]), 8);
        assert_eq!((pieces(&mut broken, 8).await, broken.end()), (vec!["abc".to_owned()], Some(End::Broken)));
        let mut long = Incoming::new(body(&[Ok("abc"), Ok("de")]), 4);
        assert_eq!((pieces(&mut long, 8).await, long.end()), (vec!["abc".to_owned()], Some(End::TooMuch)));
    }

    #[tokio::test]
    async fn a_stopped_body_ends_though_its_client_is_silent() {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let mut incoming = Incoming::new(silent, 8);
        let stop = incoming.stop();
        let (piece, ()) = futures::join!(async { incoming.piece(4).collect::<Vec<_>>().await.len() }, async {
            tokio::task::yield_now().await;
            stop.set();
        });
        assert_eq!((piece, incoming.end()), (0, Some(End::Stopped)));
    }
}
