use std::collections::VecDeque;
use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Head, finish_reason};
use super::held::Held;
use super::shape;
use crate::agents::{EventReader, Followed};
use crate::http::limits::StreamPlace;
use crate::http::sse;

/// An answer in pieces, one whole frame per write.
pub(super) fn response(
    reader: EventReader,
    held: Held,
    about: Head,
    include_usage: bool,
    place: StreamPlace,
) -> Response {
    let first = about.piece(&json!({ "role": "assistant", "content": "" }), None);
    let mut pieces =
        Pieces { reader, held, head: about, include_usage, ready: VecDeque::new(), over: false, _place: place };
    pieces.push(first);
    let stream =
        stream::unfold(pieces, |mut pieces| async move { Some((Ok::<_, Infallible>(pieces.next().await?), pieces)) });
    sse::with_headers(Body::from_stream(stream))
}

/// As much of a run's event as this API shows.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "event")]
    name: String,
    delta: String,
    status: String,
    error: Option<String>,
    steps: Value,
    usage: Value,
}

struct Pieces {
    reader: EventReader,
    held: Held,
    head: Head,
    include_usage: bool,
    ready: VecDeque<Bytes>,
    over: bool,
    /// Counted among the caller's streams while this one is open.
    _place: StreamPlace,
}

impl Pieces {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            if self.over {
                return None;
            }
            match self.reader.next(sse::KEEPALIVE).await {
                Ok(Followed::Events(events)) => {
                    for event in events {
                        self.take(&serde_json::from_str(&event.json).unwrap_or_default());
                    }
                }
                Ok(Followed::Silence) => return Some(Bytes::from_static(b": keepalive\n\n")),
                Ok(Followed::End) => return None,
                // Left to itself the run would go on for nobody, so it is cancelled with this stream.
                Ok(Followed::Expired) => self.fail("the token has expired"),
                Err(error) => {
                    tracing::warn!(error = %error, "a stream of pieces broke off");
                    self.fail("the run's events cannot be read right now; try again");
                }
            }
        }
    }

    fn take(&mut self, event: &Event) {
        match (event.name.as_str(), event.status.as_str()) {
            ("content_delta", _) => self.push(self.head.piece(&json!({ "content": event.delta }), None)),
            ("complete", "completed") => {
                self.held.over();
                self.push(self.head.piece(&json!({}), Some(finish_reason(&event.steps))));
                if self.include_usage {
                    let cost = self.head.cost(&event.usage);
                    self.ready.push_back(frame(&cost));
                }
                self.ready.push_back(Bytes::from_static(b"data: [DONE]\n\n"));
                self.over = true;
            }
            ("complete", _) => {
                self.held.over();
                self.fail(event.error.as_deref().unwrap_or("the run failed"));
            }
            _ => {}
        }
    }

    fn push(&mut self, mut piece: Value) {
        // Clients that asked for it look for the field in every piece.
        if let (true, Value::Object(fields)) = (self.include_usage, &mut piece) {
            fields.insert("usage".to_owned(), Value::Null);
        }
        self.ready.push_back(frame(&piece));
    }

    fn fail(&mut self, message: &str) {
        self.ready.push_back(frame(&shape::late(message)));
        self.over = true;
    }
}

fn frame(value: &Value) -> Bytes {
    Bytes::from(format!("data: {value}\n\n"))
}
