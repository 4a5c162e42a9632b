//! A chat model that answers by a script, over the real protocol of chat completions, and keeps the requests that it gets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::StreamExt;
use http::HeaderMap;
use serde_json::{Value, json};

/// One answer of the model.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Answers with this text.
    Say(&'static str),
    /// Calls tools: name and arguments.
    Call(Vec<(&'static str, Value)>),
    /// Sends this reasoning, then answers with this text.
    Think(&'static str, &'static str),
    /// Sends this word, and then nothing more without an end.
    Hang(&'static str),
    /// Refuses with this status.
    Refuse(u16),
    /// Sends this text and ends the connection early.
    BreakOff(&'static str),
    /// Waits for this time, then answers.
    Wait(Duration, &'static str),
}

#[derive(Debug, Default)]
struct Script {
    turns: VecDeque<Turn>,
    /// Chooses the answer where no turn is left.
    answer: Option<fn(&Value) -> Turn>,
    requests: Vec<Value>,
    /// `traceparent` of each request.
    traces: Vec<Option<String>>,
}

/// The model's server.
#[derive(Clone, Debug)]
pub struct ScriptedModel {
    /// Base address for `BEHALF_MODEL_BASE_URL`.
    pub url: String,
    script: Arc<Mutex<Script>>,
}

impl ScriptedModel {
    /// Starts a model that takes these turns in order; after them it says that it has nothing more to say.
    pub async fn start(turns: impl IntoIterator<Item = Turn>) -> Self {
        Self::serve(Script { turns: turns.into_iter().collect(), ..Script::default() }).await
    }

    /// Starts a model that chooses each answer by the request.
    pub async fn answering(answer: fn(&Value) -> Turn) -> Self {
        Self::serve(Script { answer: Some(answer), ..Script::default() }).await
    }

    async fn serve(script: Script) -> Self {
        let script = Arc::new(Mutex::new(script));
        let router = axum::Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&script));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, script }
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Value> {
        self.script.lock().unwrap().requests.clone()
    }

    /// `traceparent` of each request so far.
    pub fn traces(&self) -> Vec<Option<String>> {
        self.script.lock().unwrap().traces.clone()
    }
}

fn chunk(delta: Value, finish: Option<&str>) -> String {
    let mut chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "finish_reason": finish}],
    });
    chunk["choices"][0]["delta"] = delta;
    format!("data: {chunk}\n\n")
}

async fn complete(State(script): State<Arc<Mutex<Script>>>, headers: HeaderMap, body: String) -> Response {
    let turn = {
        let mut script = script.lock().unwrap();
        let request = serde_json::from_str(&body).unwrap();
        let chosen = script.answer.map(|answer| answer(&request));
        script.requests.push(request);
        script.traces.push(headers.get("traceparent").map(|one| one.to_str().unwrap().to_owned()));
        let next = script.turns.pop_front().or(chosen);
        next.unwrap_or(Turn::Say("I have nothing more to say."))
    };
    let mut text = chunk(json!({"role": "assistant", "content": ""}), None);
    match turn {
        Turn::Hang(word) => {
            text += &chunk(json!({ "content": word }), None);
            let body = futures::stream::once(async { Ok::<_, std::convert::Infallible>(text) });
            let body = axum::body::Body::from_stream(body.chain(futures::stream::pending()));
            return ([("content-type", "text/event-stream")], body).into_response();
        }
        Turn::Think(thought, words) => {
            text += &chunk(json!({ "reasoning_content": thought }), None);
            text += &chunk(json!({ "content": words }), Some("stop"));
        }
        Turn::Refuse(status) => {
            let status = http::StatusCode::from_u16(status).unwrap();
            return (status, json!({"error": {"message": "refused by the script"}}).to_string()).into_response();
        }
        Turn::BreakOff(words) => {
            text += &chunk(json!({ "content": words }), None);
            return ([("content-type", "text/event-stream")], text).into_response();
        }
        Turn::Wait(time, words) => {
            tokio::time::sleep(time).await;
            text += &chunk(json!({ "content": words }), None);
            text += &chunk(json!({}), Some("stop"));
        }
        Turn::Say(words) => {
            for word in words.split_inclusive(' ') {
                text += &chunk(json!({ "content": word }), None);
            }
            text += &chunk(json!({}), Some("stop"));
        }
        Turn::Call(calls) => {
            for (index, (name, arguments)) in calls.iter().enumerate() {
                let arguments = arguments.to_string();
                let (one, two) = arguments.split_at(arguments.len() / 2);
                let first = json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": one}});
                text += &chunk(json!({"tool_calls": [first]}), None);
                text += &chunk(json!({"tool_calls": [{"index": index, "function": {"arguments": two}}]}), None);
            }
            text += &chunk(json!({}), Some("tool_calls"));
        }
    }
    let usage = json!({"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18});
    text += &format!(
        "data: {}\n\n",
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "scripted", "choices": [], "usage": usage})
    );
    text += "data: [DONE]\n\n";
    ([("content-type", "text/event-stream")], text).into_response()
}
