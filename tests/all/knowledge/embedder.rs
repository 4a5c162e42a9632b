//! A server of embeddings over the real protocol: the vector of a text counts its words, so texts with the same words are alike.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use serde_json::{Value, json};

/// The server. Clones are the same one.
#[derive(Clone, Debug)]
pub(super) struct Embedder {
    /// Its address, for the setting of the host.
    pub(super) url: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    texts: AtomicUsize,
    refuses: AtomicBool,
    wait: Mutex<Duration>,
}

impl Embedder {
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = axum::Router::new().route("/v1/embeddings", post(embed)).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, shared }
    }

    /// How many texts it has got so far.
    pub(super) fn texts(&self) -> usize {
        self.shared.texts.load(Ordering::SeqCst)
    }

    /// Refuses every request from now on, or no longer.
    pub(super) fn refuse(&self, refuses: bool) {
        self.shared.refuses.store(refuses, Ordering::SeqCst);
    }

    /// Takes so long for each request from now on.
    pub(super) fn take(&self, wait: Duration) {
        *self.shared.wait.lock().unwrap() = wait;
    }
}

async fn embed(State(shared): State<Arc<Shared>>, body: String) -> Response {
    let request: Value = serde_json::from_str(&body).unwrap();
    let wait = *shared.wait.lock().unwrap();
    tokio::time::sleep(wait).await;
    if shared.refuses.load(Ordering::SeqCst) {
        let refused = json!({ "error": { "message": "refused by the script", "code": "refused" } });
        return (http::StatusCode::BAD_REQUEST, refused.to_string()).into_response();
    }
    // `words-32` has vectors of 32 numbers.
    let model = request["model"].as_str().unwrap();
    let dims = model.rsplit('-').next().and_then(|dims| dims.parse().ok()).unwrap_or(64);
    let texts: Vec<&str> = match &request["input"] {
        Value::String(text) => vec![text],
        Value::Array(texts) => texts.iter().map(|text| text.as_str().unwrap()).collect(),
        other => panic!("{other}"),
    };
    shared.texts.fetch_add(texts.len(), Ordering::SeqCst);
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({ "object": "embedding", "index": index, "embedding": vector(text, dims) }))
        .collect();
    let usage = json!({ "prompt_tokens": 1, "total_tokens": 1 });
    let answer = json!({ "object": "list", "model": model, "data": data, "usage": usage }).to_string();
    ([("content-type", "application/json")], answer).into_response()
}

/// How often each word is there; words share places, as they do in a small vector.
fn vector(text: &str, dims: usize) -> Vec<f32> {
    let mut counts = vec![0.01; dims];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2) {
        let hash = word.to_lowercase().bytes().fold(5381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte));
        counts[hash % dims] += 1.0;
    }
    counts
}
