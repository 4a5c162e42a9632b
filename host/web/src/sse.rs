//! Server-sent events. Each write is one whole frame, so that clients which expect that lose nothing.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

use crate::error::ApiError;

/// How often an idle stream sends a comment, because proxies close connections that are idle for longer.
pub const KEEPALIVE: Duration = Duration::from_secs(15);

/// A response whose body is a stream of events, with headers that tell proxies not to buffer it.
pub fn response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// An event with its id. `json` must be one line, as Postgres writes it.
pub fn frame(id: i64, json: &str) -> Bytes {
    Bytes::from(format!("id: {id}\ndata: {json}\n\n"))
}

/// A comment that clients ignore.
pub fn keepalive() -> Bytes {
    Bytes::from_static(b": keepalive\n\n")
}

/// The event that reports an expired token. It is no event of the run and has no id, so a client with a new token
/// resumes after the last event of the run.
pub fn expired() -> Bytes {
    let text = "Token has expired";
    Bytes::from(format!("data: {}\n\n", json!({ "event": "error", "error": text, "message": text })))
}

/// The event that ends a stream before what it tells of is over: `reason` says why, and `resume` is where the events go on, here or at
/// another host; of a run, its id. It is no event of the run and has no id, so a client resumes after the last event of the run.
pub fn disconnected(reason: &str, resume: &str, run_id: Option<&str>) -> Bytes {
    let mut event = json!({ "event": "disconnected", "type": "disconnected", "reason": reason, "resume": resume });
    if let Some(run_id) = run_id {
        event["run_id"] = json!(run_id);
    }
    Bytes::from(format!("data: {event}\n\n"))
}

/// The id of the last event that the client has seen; zero if it sends none.
pub fn last_event_id(headers: &HeaderMap) -> Result<i64, ApiError> {
    let Some(value) = headers.get("last-event-id") else { return Ok(0) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|number| *number >= 0);
    number.ok_or_else(|| ApiError::bad_request("Last-Event-ID must be the id of an event of this run"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_an_id_one_line_of_data_and_an_empty_line() {
        let json = r#"{"event": "chunk", "content": "a\nb"}"#;
        assert_eq!(frame(7, json), "id: 7\ndata: {\"event\": \"chunk\", \"content\": \"a\\nb\"}\n\n");
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
