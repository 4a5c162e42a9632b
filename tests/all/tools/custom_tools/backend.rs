//! A server of the operator's, which keeps the requests that it gets.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Numbers of `/numbers`, which a double would round.
pub(super) const NUMBERS: [&str; 3] = ["12345678901234567.89", "1e309", "18446744073709551616"];

/// One request that the server got.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: axum::http::HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn bearer(&self) -> &str {
        self.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap()
    }
}

/// A server of the operator's.
#[derive(Clone, Debug)]
pub(super) struct Backend {
    pub(super) url: String,
    pub(super) host: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend {
    pub(super) async fn start() -> Self {
        let seen = Arc::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{host}"), host, seen }
    }

    pub(super) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }
}

async fn answer(State(seen): State<Arc<Mutex<Vec<Seen>>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let one = Seen {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    };
    seen.lock().unwrap().push(one.clone());
    match parts.uri.path() {
        "/echo" => format!("{:?}", one.headers).into_response(),
        "/numbers" => ([("content-type", "application/json")], format!("{{\"numbers\": [{}]}}\n", NUMBERS.join(", ")))
            .into_response(),
        "/text" => "x".repeat(30_000).into_response(),
        "/fail" => (axum::http::StatusCode::BAD_GATEWAY, "out of order").into_response(),
        "/inside" => {
            (axum::http::StatusCode::FOUND, [("location", "http://169.254.169.254/latest/meta-data/")]).into_response()
        }
        _ => axum::Json(json!({ "balance": 12 })).into_response(),
    }
}
