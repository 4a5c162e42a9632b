//! One websocket: one task that reads, writes and does what the client asks for.
//!
//! Everything that is not this task's own doing waits in an [`Outbox`], which is bounded: a client that does not read costs what may
//! wait for it and is then cut off. Times are looked at by one loop of the host (`Sockets`), so an idle socket has no timer.

mod broadcast;
mod channel;
mod connection;
mod end;
mod frame;
mod identify;
mod join;
mod outbox;
mod presence;
mod refresh;
mod session;
mod sockets;

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use behalf_telemetry::metric;
use futures::StreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};

use connection::Connection;
pub(crate) use end::End;
use frame::Input;
use outbox::Outbox;
pub(crate) use session::Opened;
use session::Session;
pub(crate) use sockets::Sockets;

use crate::protocol::{Version, decode};
use crate::state::Realtime;

/// Bytes of a frame beside a message's payload: the names, a token, subscriptions.
const FRAME_OVERHEAD: usize = 64 * 1024;
/// How long a client may take to read what was sent before its socket closes.
const FAREWELL: Duration = Duration::from_secs(2);
/// Turns of the task after which others get theirs.
const TURNS: usize = 64;

/// A socket's state, but for its place and its registration.
struct Socket<IO> {
    connection: Connection<IO>,
    session: Session,
    outbox: Arc<Outbox>,
}

/// Serves a socket until it ends, and says why it did.
pub(crate) async fn serve<IO>(io: IO, realtime: Realtime, opened: Opened) -> End
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let options = &realtime.options;
    let outbox = Arc::new(Outbox::new(options));
    let connection = Connection::new(io, options.max_message_bytes.saturating_add(FRAME_OVERHEAD));
    let registered = realtime.sockets.add(&outbox);
    metric::realtime_socket_opened();
    let session = Session::new(realtime.clone(), opened, Arc::clone(&outbox));
    let mut socket = Socket { connection, session, outbox };
    let end = std::future::poll_fn(|cx| socket.poll(cx)).await;
    socket.session.leave_all();
    drop(registered);
    metric::realtime_socket_closed(end.label());
    if let Some((code, reason)) = end.close() {
        // What was answered already goes first.
        let farewell = Box::pin(async {
            let Socket { connection, session, .. } = &mut socket;
            let flushed = std::future::poll_fn(|cx| connection.poll_output(cx, || session.next_frame(), |_| {}));
            if flushed.await.is_ok() {
                connection.close(code, reason).await;
            }
        });
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
    end
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Socket<IO> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.outbox.register(cx.waker());
        for _ in 0..TURNS {
            if let Some(end) = self.outbox.ended() {
                return Poll::Ready(end);
            }
            let mut is_done = true;
            if let Some(again) = self.outbox.shall_look() {
                refresh::look(&mut self.session, again);
            }
            while let Poll::Ready(Some(ended)) = self.session.under_way.poll_next_unpin(cx) {
                ended(&mut self.session);
                is_done = false;
            }
            if self.session.retry() {
                is_done = false;
            }
            if let Poll::Ready(input) = self.poll_input(cx) {
                match input.and_then(|input| self.take(&input)) {
                    Ok(()) => is_done = false,
                    Err(end) => return Poll::Ready(end),
                }
            }
            if let Poll::Ready(Err(_)) = self.poll_output(cx) {
                return Poll::Ready(End::Gone);
            }
            if is_done {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Reads on, unless a message waits for its channel. Then nothing more is read, which slows the client down.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Input, End>> {
        if self.session.holds() { Poll::Pending } else { self.connection.poll_input(cx) }
    }

    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let Self { connection, session, outbox } = self;
        connection.poll_output(cx, || session.next_frame(), |is_taken| outbox.note_blocked(!is_taken))
    }

    /// Does what the client sent.
    fn take(&mut self, input: &Input) -> Result<(), End> {
        self.outbox.note_heard();
        let message = match input {
            Input::Text(bytes) => {
                metric::realtime_message_in(bytes.len());
                decode::text(bytes, self.session.version())
            }
            Input::Binary(bytes) if self.session.version() == Version::Two => {
                metric::realtime_message_in(bytes.len());
                decode::binary(bytes)
            }
            Input::Binary(_) => return Err(End::NoMessage),
            Input::Close => return Err(End::Closed),
            Input::Ping(_) | Input::Pong => return Ok(()),
        };
        self.session.handle(message.map_err(|_| End::NoMessage)?);
        Ok(())
    }
}
