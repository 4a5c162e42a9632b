//! What is outside of the hosts: a chat model with an OpenAI-compatible address, and the server of a custom tool.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use behalf_jobs::AbortOnDrop;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::canary;
use super::tally::Tally;
use crate::cli::bench::scripted_answer::scripted_answer;

/// The tool that runs on a server of the app's.
pub(super) const TOOL: &str = "search_user_articles";

/// Both servers at one address. They end with it.
pub(super) struct Outside {
    /// `127.0.0.1:…`
    pub(super) address: String,
    known: Known,
    _server: AbortOnDrop<std::io::Result<()>>,
}

/// The number of each user, by id.
type Known = Arc<Mutex<HashMap<String, u32>>>;

#[derive(Clone)]
struct Shared {
    tally: Arc<Tally>,
    known: Known,
}

impl Outside {
    pub(super) async fn start(tally: &Arc<Tally>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let (address, known) = (listener.local_addr()?.to_string(), Known::default());
        let shared = Shared { tally: Arc::clone(tally), known: Arc::clone(&known) };
        let router = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/search-articles", post(search))
            .with_state(shared);
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, known, _server: AbortOnDrop::new(server) })
    }

    /// From now on, the tool's server knows the user.
    pub(super) fn knows(&self, id: &str, number: u32) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), number);
    }
}

/// The tool's server. Its argument has the word of whoever asked, and the assertion has to name the same user. The signature is not
/// what is measured here, so it is not looked at.
async fn search(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    let subject = headers.get("authorization").and_then(|value| subject_of(value.to_str().ok()?));
    let known = |id: &String| shared.known.lock().unwrap_or_else(PoisonError::into_inner).get(id).copied();
    let Some(number) = subject.as_ref().and_then(known) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let asked = canary::numbers(body.as_bytes());
    if asked.iter().any(|found| *found != number) {
        shared.tally.crossed(&format!("the tool was called for user {number}, and asked by {asked:?}"));
    }
    axum::Json(json!({ "results": [{ "title": "Anchors", "asked": body }] })).into_response()
}

/// `sub` of a bearer token.
fn subject_of(authorization: &str) -> Option<String> {
    let claims = authorization.strip_prefix("Bearer ")?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    Some(claims["sub"].as_str()?.to_owned())
}

/// The model. It calls what it is told to call, and tells everything that it was told.
async fn complete(State(shared): State<Shared>, body: String) -> Response {
    shared.tally.search_for_two("model", body.as_bytes());
    let Ok(request) = serde_json::from_str::<Value>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let (delta, finish) = turn(&request);
    scripted_answer(&delta, finish)
}

/// What the model says or calls, and why it ends.
fn turn(request: &Value) -> (Value, &'static str) {
    let none = Vec::new();
    let messages = request["messages"].as_array().unwrap_or(&none);
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let asked = messages.iter().rposition(|message| message["role"] == "user").unwrap_or_default();
    let question = messages.get(asked).map(text).unwrap_or_default();
    let later = messages.get(asked..).unwrap_or_default();
    let told: Vec<_> = later.iter().filter(|message| message["role"] == "tool").map(text).collect();
    if !told.is_empty() {
        return (json!({ "role": "assistant", "content": format!("I was told: {}", told.join("\n")) }), "stop");
    }
    let system: Vec<_> = messages.iter().filter(|message| message["role"] == "system").map(text).collect();
    let call = command(&question).filter(|(name, _)| is_offered(request, name)).or_else(|| {
        let searches = is_offered(request, "knowledge_search") && !system.iter().any(|text| text.contains("Context:"));
        searches.then(|| ("knowledge_search".to_owned(), json!({ "query": question }).to_string()))
    });
    let Some((name, arguments)) = call else {
        return (json!({ "role": "assistant", "content": format!("I know this: {}", system.join("\n")) }), "stop");
    };
    let function = json!({ "name": name, "arguments": arguments });
    let call = json!({ "index": 0, "id": "call_0", "type": "function", "function": function });
    (json!({ "role": "assistant", "tool_calls": [call] }), "tool_calls")
}

/// `/tool {…}`, which is also how the built-in model is told what to call.
fn command(message: &str) -> Option<(String, String)> {
    let (name, arguments) = message.strip_prefix('/')?.split_once(' ')?;
    Some((name.to_owned(), arguments.to_owned()))
}

fn is_offered(request: &Value, name: &str) -> bool {
    request["tools"].as_array().is_some_and(|tools| tools.iter().any(|tool| tool["function"]["name"] == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_calls_and_tells() {
        let tools = json!([{ "function": { "name": "echo" } }, { "function": { "name": "knowledge_search" } }]);
        let ask = |messages: Value| turn(&json!({ "messages": messages, "tools": tools }));
        let (delta, finish) = ask(json!([{ "role": "user", "content": "/echo {\"text\": \"a\"}" }]));
        assert_eq!((&delta["tool_calls"][0]["function"]["name"], finish), (&json!("echo"), "tool_calls"));
        let (delta, _) = ask(json!([{ "role": "user", "content": "What?" }]));
        assert_eq!(delta["tool_calls"][0]["function"]["arguments"], "{\"query\":\"What?\"}");
        let context = json!([{ "role": "system", "content": "Context:\nred" }, { "role": "user", "content": "What?" }]);
        assert_eq!(ask(context).0["content"], "I know this: Context:\nred");
        let told = json!([{ "role": "user", "content": "/echo {}" }, { "role": "tool", "content": "a" }]);
        assert_eq!(ask(told), (json!({ "role": "assistant", "content": "I was told: a" }), "stop"));
    }

    #[test]
    fn a_token_says_whom_it_names() {
        let token = format!("Bearer x.{}.y", URL_SAFE_NO_PAD.encode(r#"{"sub":"a"}"#));
        assert_eq!(subject_of(&token).as_deref(), Some("a"));
        for other in ["", "Bearer ", "Bearer x", "Bearer x.y.z"] {
            assert_eq!(subject_of(other), None);
        }
    }
}
