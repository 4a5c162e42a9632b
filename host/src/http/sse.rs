//! Server-sent events: one whole frame per write, so that clients which split reads naively lose nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use super::error::ApiError;
use crate::agents::{EventReader, Followed};
use crate::db::RunEvent;

/// Proxies cut connections that say nothing for longer.
pub(super) const KEEPALIVE: Duration = Duration::from_secs(15);

struct Frames<G> {
    reader: EventReader,
    ready: VecDeque<RunEvent>,
    over: bool,
    /// Lives as long as somebody reads: the stream's place among the caller's, and what is to happen when the client goes.
    _guard: G,
}

/// An answer that shows a run's events until its end. `guard` is dropped when the client goes away, or at the end.
pub(super) fn response(reader: EventReader, guard: impl Send + 'static) -> Response {
    let frames = Frames { reader, ready: VecDeque::new(), over: false, _guard: guard };
    let stream =
        stream::unfold(frames, |mut frames| async move { Some((Ok::<_, Infallible>(frames.next().await?), frames)) });
    with_headers(Body::from_stream(stream))
}

/// A body of events as proxies are to treat it: as it comes.
pub(super) fn with_headers(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// The number of the last event that the client saw.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<i64, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|number| *number >= 0);
    number.ok_or_else(|| ApiError::BadRequest("Last-Event-ID must be the id of an event of this run".to_owned()))
}

impl<G> Frames<G> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(frame(&event));
            }
            if self.over {
                return None;
            }
            match self.reader.next(KEEPALIVE).await {
                Ok(Followed::Events(events)) => self.ready.extend(events),
                Ok(Followed::Silence) => return Some(Bytes::from_static(b": keepalive\n\n")),
                Ok(Followed::End) => return None,
                Ok(Followed::Expired) => {
                    self.over = true;
                    return Some(expired());
                }
                Err(error) => {
                    // The client comes back with the id it saw last; the events are still there.
                    tracing::warn!(error = %error, "a stream of events broke off");
                    return None;
                }
            }
        }
    }
}

/// Postgres writes its JSON on one line.
fn frame(event: &RunEvent) -> Bytes {
    Bytes::from(format!("id: {}\ndata: {}\n\n", event.seq, event.json))
}

/// Not an event of the run, so it has no id: a client with a new token resumes where it was.
fn expired() -> Bytes {
    let text = "Token has expired";
    Bytes::from(format!("data: {}\n\n", json!({ "event": "error", "error": text, "message": text })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_an_id_one_line_of_data_and_an_empty_line() {
        let event = RunEvent { seq: 7, json: r#"{"event": "chunk", "content": "a\nb"}"#.to_owned() };
        assert_eq!(frame(&event), "id: 7\ndata: {\"event\": \"chunk\", \"content\": \"a\\nb\"}\n\n");
        let text = String::from_utf8_lossy(&expired()).into_owned();
        assert!(text.starts_with("data: {") && text.ends_with("}\n\n") && text.matches('\n').count() == 2, "{text}");
    }

    #[test]
    fn a_client_resumes_after_a_number() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("last-event-id", HeaderValue::from_static(value));
            last_event_id(&headers)
        };
        assert!(matches!(last_event_id(&HeaderMap::new()), Ok(0)));
        assert!(matches!(with("12"), Ok(12)));
        for bad in ["", "-1", "a", "99999999999999999999"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
