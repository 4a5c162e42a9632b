//! How far a source is, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use behalf_problem::LogText as _;
use behalf_web::{ApiError, Asker, Path, Routes, StreamPlace, routes as group, sse};
use futures::stream;
use serde_json::json;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::source_id;
use crate::error::SourceError;
use crate::source::Source;
use crate::state::Sources;
use crate::store::read;
use crate::watch::SourceFollower;

/// Events of one stream come no more often: a document of a thousand pages is not a thousand events.
const BETWEEN: Duration = Duration::from_millis(250);

/// The route.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(events))
}

/// A stream of what one source is, until nothing more happens to it by itself.
struct Frames {
    sources: Sources,
    asker: Asker,
    source: Uuid,
    follower: SourceFollower,
    last: Option<String>,
    is_over: bool,
    /// Counted among the caller's streams while this one is open.
    _place: StreamPlace,
}

/// Follows a source: an event for what it is now, and one whenever its status or its pages change. The stream ends when its text was
/// read, or cannot be.
#[utoipa::path(
    get, path = "/api/sources/{source}/events", operation_id = "follow_source", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    responses((status = 200, description = "Events, one JSON object each.", body = String, content_type = "text/event-stream"))
)]
async fn events(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
) -> Result<Response, ApiError> {
    let source = source_id(&source)?;
    // A stream has no other way to say 404.
    read::find(&sources, &asker, source).await?;
    let place = sources.web.limits.stream(&asker.principal)?;
    let follower = sources.watch.follow(source);
    let frames = Frames { sources, asker, source, follower, last: None, is_over: false, _place: place };
    let stream =
        stream::unfold(frames, |mut frames| async move { Some((Ok::<_, Infallible>(frames.next().await?), frames)) });
    Ok(sse::response(Body::from_stream(stream)))
}

impl Frames {
    async fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let until = Instant::now() + sse::KEEPALIVE;
        loop {
            let Some(life) = self.token_lifetime() else {
                self.is_over = true;
                return Some(sse::expired());
            };
            self.follower.mark_seen();
            match read::find(&self.sources, &self.asker, self.source).await {
                Ok(source) => {
                    self.is_over = source.extraction_status.is_over();
                    let event = event(&source);
                    if self.last.as_ref() != Some(&event) {
                        let frame = frame(&event);
                        self.last = Some(event);
                        return Some(frame);
                    }
                    if self.is_over {
                        return None;
                    }
                }
                // It was deleted, or is hidden by now.
                Err(SourceError::NotFound) => {
                    self.is_over = true;
                    return Some(frame(&json!({ "event": "gone", "id": self.source }).to_string()));
                }
                Err(error) => {
                    tracing::warn!(error = error.log_text(), "a stream of events broke off");
                    return Some(self.disconnect("the source cannot be read right now"));
                }
            }
            // What comes meanwhile is told with the next event.
            tokio::time::sleep(BETWEEN).await;
            let end = Instant::now().checked_add(life).map_or(until, |end| end.min(until));
            match timeout_at(end, self.follower.changed()).await {
                Ok(false) => return Some(self.disconnect("this host stops")),
                Err(_) if Instant::now() >= until => return Some(sse::keepalive()),
                Ok(true) | Err(_) => {}
            }
        }
    }

    /// The last frame of a stream that ends before its source was read.
    fn disconnect(&mut self, reason: &str) -> Bytes {
        self.is_over = true;
        sse::disconnected(reason, &format!("/api/sources/{}/events", self.source), None)
    }

    /// How long the caller's token is still valid; none where it has expired.
    fn token_lifetime(&self) -> Option<Duration> {
        let Some(end) = self.asker.principal.expires_at() else { return Some(Duration::MAX) };
        let left = end.checked_sub(chrono::Utc::now().timestamp()).filter(|left| *left > 0)?;
        u64::try_from(left).ok().map(Duration::from_secs)
    }
}

/// What clients are told of a source that they follow.
fn event(source: &Source) -> String {
    json!({
        "event": "status",
        "id": source.id,
        "extraction_status": source.extraction_status,
        "pages": source.pages,
        "pages_done": source.pages_done,
        "percent": source.percent,
        "error_code": source.error_code,
        "error_message": source.error_message,
    })
    .to_string()
}

/// An event without an id: each tells the whole state, so a client that comes back needs none.
fn frame(json: &str) -> Bytes {
    Bytes::from(format!("data: {json}\n\n"))
}
