//! Bounds what the reader of a form holds in memory.
//!
//! The reader looks for the end of a part's header, and for the first boundary, in everything that has come so far; it also takes
//! all that is there before it hands anything out. So it gets one piece at a time, and no more once too much of it led to nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{BodyDataStream, Bytes};
use futures::Stream;

/// The most bytes that lead to nothing: two pieces of a body, and the longest header of a part that a client would send.
const MAX_HELD: usize = 192 * 1024;

/// The bytes of a form on the way to its reader.
#[derive(Debug)]
pub struct FormGauge {
    body: BodyDataStream,
    held: Held,
    has_given: bool,
}

/// How many bytes the reader holds.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<AtomicUsize>);

/// The reader holds too much.
#[derive(Debug, thiserror::Error)]
#[error("a header in the form is too long")]
struct TooMuchHeld;

impl Held {
    /// The reader handed something out.
    pub fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

impl FormGauge {
    /// A body, and what its reader holds of it.
    pub fn new(body: BodyDataStream) -> (Self, Held) {
        let held = Held::default();
        (Self { body, held: held.clone(), has_given: false }, held)
    }
}

impl Stream for FormGauge {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.has_given) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(piece) = ready!(Pin::new(&mut self.body).poll_next(cx)) else { return Poll::Ready(None) };
        if let Ok(bytes) = &piece
            && self.held.0.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len() > MAX_HELD
        {
            return Poll::Ready(Some(Err(axum::Error::new(TooMuchHeld))));
        }
        self.has_given = true;
        Poll::Ready(Some(piece))
    }
}
