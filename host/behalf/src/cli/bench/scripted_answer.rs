//! The answer of a scripted chat model in the form of `OpenAI`'s chat completions, as a stream.

use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An answer of this one delta, which ends for this reason.
pub(super) fn scripted_answer(delta: &Value, finish: &str) -> Response {
    let chunk = |delta: &Value, finish: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        let chunk = json!({ "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [choice] });
        format!("data: {chunk}\n\n")
    };
    let text = format!("{}{}data: [DONE]\n\n", chunk(delta, None), chunk(&json!({}), Some(finish)));
    ([("content-type", "text/event-stream")], text).into_response()
}
