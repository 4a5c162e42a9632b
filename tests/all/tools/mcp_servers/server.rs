//! A small MCP server that keeps the requests that it gets and behaves as a test wants.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// How a server behaves.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Behaviour {
    /// Answers as the protocol says, with JSON, and offers each user a tool of their own.
    Honest,
    /// The same, with event streams.
    Streams,
    /// Never answers.
    Silent,
    /// Begins an answer and never ends it.
    Endless,
    /// Answers a call with more text than a host accepts.
    Giant,
    /// Offers these tools.
    Offers(Value),
    /// Redirects every request to this address.
    Redirects(String),
    /// Answers with the headers that it got.
    Echoes,
    /// Answers with a number that a double would round; also as text, if so.
    Numbers(bool),
}

/// The number of [`Behaviour::Numbers`].
pub(super) const LONG_NUMBER: &str = "12345678901234567.89";

#[derive(Clone)]
struct Server {
    behaviour: Behaviour,
    seen: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
}

/// A running server.
pub(super) struct Running {
    pub(super) url: String,
    pub(super) host: String,
    seen: Arc<Mutex<Vec<(HeaderMap, Value)>>>,
    task: tokio::task::AbortHandle,
}

impl Running {
    /// Ends the server. Nothing listens at its address any more.
    pub(super) async fn end(&self) {
        self.task.abort();
        while tokio::net::TcpStream::connect(&self.host).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// The claims of each request of this method. Their signature is not verified; the tests of assertions do that.
    pub(super) fn claims(&self, method: &str) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        let asked = seen.iter().filter(|(_, message)| message["method"] == method);
        asked.map(|(headers, _)| claims(headers)).collect()
    }
}

fn claims(headers: &HeaderMap) -> Value {
    let token = headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    jsonwebtoken::dangerous::insecure_decode::<Value>(token).unwrap().claims
}

pub(super) async fn start(behaviour: Behaviour) -> Running {
    let seen = Arc::<Mutex<Vec<_>>>::default();
    let server = Server { behaviour, seen: Arc::clone(&seen) };
    let router = axum::Router::new().fallback(answer).with_state(server);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
    Running { url: format!("http://{host}/mcp"), host, seen, task }
}

/// The tools of the server: one for every user, one for this user alone, or those that the test has set.
fn offers(behaviour: &Behaviour, headers: &HeaderMap) -> Value {
    if let Behaviour::Offers(tools) = behaviour {
        return tools.clone();
    }
    let own = format!("balance_of_{}", claims(headers)["sub"].as_str().unwrap().split('-').next().unwrap());
    json!([
        {"name": "balance", "description": "Says a balance.", "inputSchema": {"type": "object",
            "properties": {"account": {"type": "string"}}, "required": ["account"]},
            "annotations": {"readOnlyHint": true}},
        {"name": own, "description": "One's own.", "inputSchema": {"type": "object"}},
    ])
}

/// The smallest server of the protocol that a client can talk to.
async fn answer(State(server): State<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    server.seen.lock().unwrap().push((parts.headers.clone(), message.clone()));
    match &server.behaviour {
        Behaviour::Silent => std::future::pending().await,
        Behaviour::Redirects(to) => {
            return (StatusCode::TEMPORARY_REDIRECT, [("location", to.clone())]).into_response();
        }
        Behaviour::Endless if message["method"] == "tools/list" => {
            let drip = futures::stream::repeat(Ok::<_, std::convert::Infallible>(bytes::Bytes::from(
                ": still here\n\n".repeat(64),
            )));
            return ([("content-type", "text/event-stream")], Body::from_stream(drip)).into_response();
        }
        _ => {}
    }
    if message["id"].is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    let result = match message["method"].as_str().unwrap() {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
            "serverInfo": {"name": "crm", "version": "1"},
        }),
        "tools/list" => json!({ "tools": offers(&server.behaviour, &parts.headers) }),
        "tools/call" => match &server.behaviour {
            Behaviour::Giant => json!({"content": [{"type": "text", "text": "x".repeat(3 << 20)}]}),
            Behaviour::Echoes => {
                json!({"content": [{"type": "text", "text": format!("{:?}", parts.headers)}], "isError": true})
            }
            Behaviour::Numbers(as_text) => {
                let text = if *as_text { r#"{"balance": 0.5}"# } else { "ignored" };
                json!({"content": [{"type": "text", "text": text}], "structuredContent": {"balance": 0.5}})
            }
            _ => json!({"content": [{"type": "text", "text": "ignored"}], "structuredContent": {"balance": 12}}),
        },
        other => panic!("nobody asked for {other}"),
    };
    let answer = json!({"jsonrpc": "2.0", "id": message["id"], "result": result});
    if server.behaviour == Behaviour::Streams {
        return ([("content-type", "text/event-stream")], format!("event: message\ndata: {answer}\n\n"))
            .into_response();
    }
    if matches!(server.behaviour, Behaviour::Numbers(_)) {
        let answer = answer.to_string().replace("0.5", LONG_NUMBER);
        return ([("content-type", "application/json")], answer).into_response();
    }
    axum::Json(answer).into_response()
}
