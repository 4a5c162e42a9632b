//! Custom HTTP tools: the operator gives an address, and the host calls it for the user.

mod assertions;
mod backend;
mod calls;
mod management;

use backend::Backend;
use behalf_tests::{App, Options, User};
use serde_json::{Value, json};

async fn app_for(backend: &Backend) -> App {
    App::with(Options { settings: vec![("http_allow_private", backend.host.clone())] }).await
}

fn tool(name: &str, endpoint: &str) -> Value {
    json!({
        "name": name, "description": "Says a balance.", "type": "http",
        "input_schema": {"type": "object", "properties": {"account": {"type": "string"}}, "required": ["account"]},
        "config": {"endpoint": endpoint},
    })
}

async fn made(app: &App, body: Value) -> String {
    let made = app.post(&User::Service, "/api/tools", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.json["id"].as_str().unwrap().to_owned()
}
