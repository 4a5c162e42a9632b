//! What is outside of the hosts: a chat model that lets the agent write and call, and the server of the tool that it calls.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use behalf_jobs::AbortOnDrop;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::super::scripted_answer::scripted_answer;

/// The tool that runs on a server of the app's.
pub(super) const TOOL: &str = "mark";

/// How often the tool was called with each key.
pub(super) type Calls = HashMap<String, u64>;

/// Both servers at one address. They end with it.
pub(super) struct Outside {
    /// `127.0.0.1:…`
    pub(super) address: String,
    calls: Arc<Mutex<Calls>>,
    _server: AbortOnDrop<std::io::Result<()>>,
}

impl Outside {
    pub(super) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, calls) = (listener.local_addr()?.to_string(), Arc::default());
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/mark", post(mark))
            .with_state(Arc::clone(&calls));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, calls, _server: AbortOnDrop::new(server) })
    }

    /// The calls so far.
    pub(super) fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn mark(State(calls): State<Arc<Mutex<Calls>>>, body: String) -> Response {
    let arguments: Value = serde_json::from_str(&body).unwrap_or_default();
    let Some(key) = arguments["key"].as_str() else { return StatusCode::BAD_REQUEST.into_response() };
    *calls.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default() += 1;
    axum::Json(json!({ "marked": key })).into_response()
}

async fn complete(body: String) -> Response {
    let Ok(request) = serde_json::from_str::<Value>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let (delta, finish) = turn(&request);
    scripted_answer(&delta, finish)
}

/// The model is told a key. It lets the key be written, then marked, and then tells what the tools said.
fn turn(request: &Value) -> (Value, &'static str) {
    let none = Vec::new();
    let messages = request["messages"].as_array().unwrap_or(&none);
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let asked = messages.iter().rposition(|message| message["role"] == "user").unwrap_or_default();
    let key = messages.get(asked).map(text).unwrap_or_default();
    let told: Vec<_> = messages.iter().skip(asked).filter(|message| message["role"] == "tool").map(text).collect();
    let (name, arguments) = match told.len() {
        0 => ("database_write", json!({ "table": "marks", "operation": "insert", "data": { "key": key } })),
        1 => (TOOL, json!({ "key": key })),
        // A list of texts, so that each can be told from the next.
        _ => return (json!({ "role": "assistant", "content": json!(told).to_string() }), "stop"),
    };
    let function = json!({ "name": name, "arguments": arguments.to_string() });
    let call = json!({ "index": 0, "id": format!("call_{}", told.len()), "type": "function", "function": function });
    (json!({ "role": "assistant", "tool_calls": [call] }), "tool_calls")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_lets_both_tools_be_called_once_and_tells_what_they_said() {
        let mut messages = vec![json!({ "role": "user", "content": "key-7" })];
        for name in ["database_write", TOOL] {
            let (delta, finish) = turn(&json!({ "messages": messages }));
            let function = &delta["tool_calls"][0]["function"];
            assert_eq!((&function["name"], finish), (&json!(name), "tool_calls"));
            assert!(function["arguments"].as_str().is_some_and(|text| text.contains("key-7")));
            messages.push(json!({ "role": "tool", "content": format!("{name} did it") }));
        }
        let (delta, finish) = turn(&json!({ "messages": messages }));
        assert_eq!((&delta["content"], finish), (&json!(r#"["database_write did it","mark did it"]"#), "stop"));
    }
}
