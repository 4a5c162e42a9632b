//! What model endpoints do in the world: each behaviour by a name, the provider that it imitates, and where that was seen.
//!
//! One server speaks the real protocol for all of them; the model's name chooses. `docs/models.md` says what each means for a run.

mod answers;
mod calls;
mod failures;
mod fields;
mod opaque;
mod reply;
mod schemas;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

pub use reply::Reply;

/// One way in which an endpoint behaves.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// Its name, and that of the model.
    pub name: &'static str,
    /// Who does this.
    pub provider: &'static str,
    /// Where it is documented or was reported.
    pub source: &'static str,
    /// What becomes of a run.
    pub outcome: Outcome,
    /// The endpoint's answer to a request.
    pub answer: fn(&Asked<'_>) -> Reply,
}

/// What becomes of a run.
#[derive(Clone, Copy, Debug)]
pub enum Outcome {
    /// It is completed with this answer.
    Answers(&'static str),
    /// The tool `echo` gets these arguments, each a JSON text, and the run is completed with `Done.`
    Calls(&'static [&'static str]),
    /// The model is told that its call was not made, in words that contain this, and the run is completed with `Done.`
    Told(&'static str),
    /// It fails; its error contains the first, and the service role reads the second. Empty where there is nothing to read.
    Fails(&'static str, &'static str),
    /// It is completed with `Done.`, and its warning names the tool `echo`.
    LeavesOut,
}

/// A request, as an endpoint sees it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Its body.
    pub body: &'a Value,
    /// Its number among those for this model, from 0.
    pub nth: usize,
}

impl Asked<'_> {
    /// Whether the conversation has the result of a tool.
    pub fn has_result(&self) -> bool {
        self.messages().iter().any(|message| message["role"] == "tool")
    }

    /// The conversation.
    pub fn messages(&self) -> &[Value] {
        self.body["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The first message of the model's.
    pub fn turn(&self) -> &Value {
        self.messages().iter().find(|message| message["role"] == "assistant").unwrap_or(&Value::Null)
    }

    /// Whether the request has a field.
    pub fn has(&self, field: &str) -> bool {
        self.body.get(field).is_some()
    }
}

/// All behaviours.
pub fn all() -> Vec<Behaviour> {
    [answers::ALL, failures::ALL, fields::ALL, calls::ALL, opaque::ALL, schemas::ALL].concat()
}

/// The requests for each model.
type Requests = Arc<Mutex<HashMap<String, Vec<Value>>>>;

/// A running endpoint with all behaviours.
#[derive(Clone, Debug)]
pub struct ManyModels {
    /// Base address for `BEHALF_MODEL_BASE_URL`.
    pub url: String,
    requests: Requests,
}

impl ManyModels {
    /// Starts it.
    pub async fn start() -> Self {
        let requests = Arc::<Mutex<HashMap<String, Vec<Value>>>>::default();
        let router =
            axum::Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&requests));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, requests }
    }

    /// The requests for a model so far.
    pub fn requests(&self, model: &str) -> Vec<Value> {
        self.requests.lock().unwrap().get(model).cloned().unwrap_or_default()
    }
}

async fn complete(State(requests): State<Requests>, body: String) -> Response {
    let body: Value = serde_json::from_str(&body).unwrap();
    let model = body["model"].as_str().unwrap().to_owned();
    let nth = {
        let mut requests = requests.lock().unwrap();
        let seen = requests.entry(model.clone()).or_default();
        seen.push(body.clone());
        seen.len() - 1
    };
    let behaviour = all().into_iter().find(|behaviour| behaviour.name == model);
    let behaviour = behaviour.unwrap_or_else(|| panic!("no behaviour is named {model}"));
    (behaviour.answer)(&Asked { body: &body, nth }).into_response()
}
