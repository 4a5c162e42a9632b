//! How far a source of a base is, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use behalf_problem::{Kind, LogText as _, Problem as _};
use behalf_web::{ApiError, Asker, Path, Routes, StreamPlace, routes as group, sse};
use futures::stream;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::{base_id, place_id};
use crate::base::IndexedSource;
use crate::state::Knowledge;
use crate::store::read;

/// How often the row is read. A batch takes a job longer, and a follower is one of a bounded number of streams of its caller.
const BETWEEN: Duration = Duration::from_millis(500);

/// The route.
pub(super) fn routes() -> Routes<Knowledge> {
    Routes::new().routes(group!(events))
}

/// A stream of what one source is, until nothing more happens to it by itself.
struct Frames {
    knowledge: Knowledge,
    asker: Asker,
    place: (Uuid, Uuid),
    last: Option<String>,
    is_over: bool,
    /// Counted among the caller's streams while this one is open.
    _place: StreamPlace,
}

/// Follows a source of a knowledge base: an event for what it is now, and one whenever its status or its progress changes. The stream
/// ends when it was indexed, or cannot be.
#[utoipa::path(
    get, path = "/api/knowledge-bases/{knowledge_base}/sources/{indexed_source}/events", operation_id = "follow_knowledge_base_source",
    tag = "Knowledge",
    params(
        ("knowledge_base" = String, Path, description = "The base's id."),
        ("indexed_source" = String, Path, description = "The id of the source's place in the base."),
    ),
    responses((status = 200, description = "Events, one JSON object each.", body = String, content_type = "text/event-stream"))
)]
async fn events(
    State(knowledge): State<Knowledge>,
    asker: Asker,
    Path((base, place)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let place = (base_id(&base)?, place_id(&place)?);
    // A stream has no other way to say 404.
    read::source(&knowledge, &asker, place).await?;
    let counted = knowledge.web.limits.stream(&asker.principal)?;
    let frames = Frames { knowledge, asker, place, last: None, is_over: false, _place: counted };
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
            if self.is_expired() {
                self.is_over = true;
                return Some(sse::expired());
            }
            match read::source(&self.knowledge, &self.asker, self.place).await {
                Ok(source) => {
                    self.is_over = source.index_status.is_over();
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
                // It was taken out, or is hidden by now.
                Err(error) if error.kind() == Kind::NotFound => {
                    self.is_over = true;
                    return Some(frame(&json!({ "event": "gone", "id": self.place.1 }).to_string()));
                }
                Err(error) => {
                    tracing::warn!(error = error.log_text(), "a stream of events broke off");
                    self.is_over = true;
                    let (base, source) = self.place;
                    let resume = format!("/api/knowledge-bases/{base}/sources/{source}/events");
                    return Some(sse::disconnected("the source cannot be read right now", &resume, None));
                }
            }
            tokio::time::sleep(BETWEEN).await;
            if Instant::now() >= until {
                return Some(sse::keepalive());
            }
        }
    }

    /// Whether the caller's token is valid no more.
    fn is_expired(&self) -> bool {
        self.asker.principal.expires_at().is_some_and(|end| end <= chrono::Utc::now().timestamp())
    }
}

/// What clients are told of a source that they follow.
fn event(source: &IndexedSource) -> String {
    json!({
        "event": "status",
        "id": source.id,
        "source_id": source.source_id,
        "index_status": source.index_status,
        "stats": source.stats,
        "percent": source.percent,
        "chunk_count": source.chunk_count,
        "error_message": source.error_message,
    })
    .to_string()
}

/// An event without an id: each tells the whole state, so a client that comes back needs none.
fn frame(json: &str) -> Bytes {
    Bytes::from(format!("data: {json}\n\n"))
}
