//! Answers of endpoints, byte by byte.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    kind: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    /// Whether the connection breaks at its end.
    breaks: bool,
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap();
        let body = if self.breaks {
            let lost = std::io::Error::other("the connection is lost");
            Body::from_stream(futures::stream::iter([Ok(bytes::Bytes::from(self.body)), Err(lost)]))
        } else {
            Body::from(self.body)
        };
        let mut response = (status, [("content-type", self.kind)], body).into_response();
        for (name, value) in self.headers {
            response.headers_mut().insert(name, value.parse().unwrap());
        }
        response
    }
}

impl Reply {
    /// A stream of these bytes.
    pub(super) fn stream(body: impl Into<String>) -> Self {
        Self { status: 200, kind: "text/event-stream", headers: Vec::new(), body: body.into(), breaks: false }
    }

    /// A JSON document.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self { status, kind: "application/json", ..Self::stream(body.to_string()) }
    }

    /// A page.
    pub(super) fn page(status: u16) -> Self {
        let body = "<!doctype html><html><body><h1>Welcome</h1></body></html>";
        Self { status, kind: "text/html", ..Self::stream(body) }
    }

    /// The same with a header.
    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, but the connection breaks at the end.
    pub(super) fn broken(mut self) -> Self {
        self.breaks = true;
        self
    }
}

/// A piece of a streamed answer.
pub(super) fn chunk(delta: &Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    })
}

/// The lines of these pieces, without an end.
pub(super) fn lines(pieces: &[Value]) -> String {
    pieces.iter().flat_map(|piece| ["data: ".to_owned(), piece.to_string(), "\n\n".to_owned()]).collect()
}

/// A stream of these pieces.
pub(super) fn sse(pieces: &[Value]) -> Reply {
    Reply::stream(format!("{}data: [DONE]\n\n", lines(pieces)))
}

/// The piece with the tokens.
pub(super) fn usage() -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}})
}

/// The usual answer of a model that says something.
pub(super) fn say(text: &str) -> Reply {
    let said = chunk(&json!({"content": text}), None);
    sse(&[chunk(&json!({"role": "assistant", "content": ""}), None), said, chunk(&json!({}), Some("stop")), usage()])
}

/// The usual answer of a model that calls the tool `echo`, with these parts of the arguments' text.
pub(super) fn call(parts: &[&str]) -> Reply {
    let first = json!({"index": 0, "id": "call_a", "type": "function", "function": {"name": "echo", "arguments": ""}});
    let mut pieces = vec![chunk(&json!({"role": "assistant", "content": null, "tool_calls": [first]}), None)];
    for part in parts {
        pieces.push(chunk(&json!({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}), None));
    }
    pieces.extend([chunk(&json!({}), Some("tool_calls")), usage()]);
    sse(&pieces)
}

/// These calls, each a piece of its own.
pub(super) fn calls(calls: &[Value], finish: &str) -> Reply {
    let mut pieces: Vec<_> = calls.iter().map(|call| chunk(&json!({ "tool_calls": [call] }), None)).collect();
    pieces.extend([chunk(&json!({}), Some(finish)), usage()]);
    sse(&pieces)
}

/// A whole answer.
pub(super) fn whole(message: &Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    })
}
