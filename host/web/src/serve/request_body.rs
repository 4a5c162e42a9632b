//! A request's body: its client has to go on sending it, and what nobody reads of it is drained a little.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// Bytes that count as progress: whoever sends fewer in the time of a stall is too slow.
const PROGRESS: usize = 1024;
/// Bytes that are read after the answer, and how long that may take.
const DRAIN_BYTES: usize = 4 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(3);

/// The client stopped sending.
#[derive(Debug, thiserror::Error)]
#[error("the rest of the request's body did not arrive in time")]
struct Stalled;

/// Tells the layers around a handler whether its request's body stalled. However the handler describes that, the client
/// hears that it was too slow.
#[derive(Clone, Debug, Default)]
pub(crate) struct BodyState(Arc<AtomicBool>);

impl BodyState {
    pub(crate) fn has_stalled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that its reader may leave unread.
pub(super) struct SharedBody(Arc<Mutex<Shared>>);

struct Shared {
    incoming: Incoming,
    was_read: bool,
    has_ended: bool,
}

/// The body as the request's handler reads it.
pub(super) struct BodyReader {
    shared: SharedBody,
    stall: Duration,
    /// Runs while the host waits for the client, until enough has arrived.
    timer: Option<Pin<Box<Sleep>>>,
    progress: usize,
    state: BodyState,
}

impl SharedBody {
    pub(super) fn new(incoming: Incoming) -> Self {
        Self(Arc::new(Mutex::new(Shared { incoming, was_read: false, has_ended: false })))
    }

    pub(super) fn reader(&self, stall: Duration, state: BodyState) -> BodyReader {
        BodyReader { shared: Self(Arc::clone(&self.0)), stall, timer: None, progress: 0, state }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client is still sending and the handler reads no more. A client that waits for the go-ahead sends nothing.
    pub(super) fn is_left(&self, expects_go_ahead: bool) -> bool {
        let shared = self.shared();
        let is_sent = shared.was_read || !expects_go_ahead;
        Arc::strong_count(&self.0) == 1 && !shared.has_ended && is_sent
    }

    /// Reads what the client sends, within bounds. A client that goes on after that has its connection closed.
    pub(super) async fn drain(&self) {
        let end = Instant::now() + DRAIN_TIME;
        let mut bytes = 0;
        let rest = async {
            while bytes < DRAIN_BYTES {
                match std::future::poll_fn(|cx| self.poll(cx)).await {
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                    Some(Err(_)) | None => return true,
                }
            }
            false
        };
        if let Ok(false) = tokio::time::timeout_at(end, rest).await {
            // Closed now, the connection could break before its client has read the answer.
            tokio::time::sleep_until(end).await;
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut shared = self.shared();
        shared.was_read = true;
        let frame = ready!(Pin::new(&mut shared.incoming).poll_frame(cx));
        shared.has_ended = !matches!(frame, Some(Ok(_))) || shared.incoming.is_end_stream();
        Poll::Ready(frame)
    }
}

impl Body for BodyReader {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        match this.shared.poll(cx) {
            Poll::Ready(frame) => {
                if let Some(Ok(frame)) = &frame {
                    this.progress += frame.data_ref().map_or(0, Bytes::len);
                }
                if this.progress >= PROGRESS {
                    (this.timer, this.progress) = (None, 0);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)))
            }
            Poll::Pending => {
                let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(this.stall)));
                ready!(timer.as_mut().poll(cx));
                this.state.0.store(true, Ordering::Relaxed);
                // Nothing more is waited for.
                this.shared.shared().has_ended = true;
                Poll::Ready(Some(Err(Stalled.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.shared.shared().incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.shared.shared().incoming.size_hint()
    }
}
