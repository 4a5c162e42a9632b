//! A run's events as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use behalf_problem::LogText as _;
use behalf_web::sse;
use futures::stream;

use crate::run::{EventReader, Followed, RunControl};
use crate::store::RunEvent;

/// Why a stream ends before its run, in words for the client.
const HOST_STOPS: &str = "this host stops; the run goes on at another one";
const UNREADABLE: &str = "the run's events cannot be read right now";

struct Frames<G> {
    reader: EventReader,
    control: RunControl,
    ready: VecDeque<RunEvent>,
    is_over: bool,
    /// Lives as long as somebody reads: the stream's place among the caller's, and what is to happen when the client goes.
    _guard: G,
}

/// An answer that shows a run's events until its end. `guard` is dropped when the client goes away, or at the end.
pub(super) fn response(control: &RunControl, reader: EventReader, guard: impl Send + 'static) -> Response {
    let frames = Frames { reader, control: control.clone(), ready: VecDeque::new(), is_over: false, _guard: guard };
    let stream =
        stream::unfold(frames, |mut frames| async move { Some((Ok::<_, Infallible>(frames.next().await?), frames)) });
    sse::response(Body::from_stream(stream))
}

impl<G> Frames<G> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(sse::frame(event.seq, &event.json));
            }
            if self.is_over {
                return None;
            }
            let followed = tokio::select! {
                followed = self.reader.next(sse::KEEPALIVE) => followed,
                // A run may have ended a moment ago.
                () = self.control.leaves() => match self.reader.rest().await {
                    Ok(Followed::Silence) => return Some(self.disconnect(HOST_STOPS)),
                    followed => followed,
                },
            };
            match followed {
                Ok(Followed::Events(events)) => self.ready.extend(events),
                Ok(Followed::Silence) => return Some(sse::keepalive()),
                Ok(Followed::End) => return None,
                Ok(Followed::Expired) => {
                    self.is_over = true;
                    return Some(sse::expired());
                }
                Err(error) => {
                    // The client comes back with the id that it saw last; the events are still there.
                    tracing::warn!(error = error.log_text(), "a stream of events broke off");
                    return Some(self.disconnect(UNREADABLE));
                }
            }
        }
    }

    /// The last frame of a stream that ends before its run.
    fn disconnect(&mut self, reason: &str) -> Bytes {
        self.is_over = true;
        let run_id = self.reader.run_id();
        sse::disconnected(reason, &format!("/api/agents/runs/{run_id}/events"), Some(run_id))
    }
}
