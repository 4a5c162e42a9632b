//! A model that the host's endpoint does not list is refused when an agent is made, with the one that is meant.

use axum::routing::get;
use behalf_tests::{App, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::json;

/// An endpoint that lists these models.
async fn endpoint(names: &'static [&'static str]) -> String {
    let list = move || async move {
        let data: Vec<_> = names.iter().map(|name| json!({ "id": name, "object": "model" })).collect();
        axum::Json(json!({ "object": "list", "data": data }))
    };
    let router = axum::Router::new().route("/v1/models", get(list));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn app(url: String) -> App {
    App::with(Options { settings: vec![("model_base_url", url), ("model_api_key", "a-key".to_owned())] }).await
}

async fn make(app: &App, model: &str) -> (u16, String) {
    let made = app.post(&User::Service, "/api/agents", json!({ "name": "helper", "model": model })).await;
    (made.status, made.text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_the_endpoint_does_not_list_is_refused_with_the_one_that_is_meant() {
    let app = app(endpoint(&["gpt-4o-mini", "llama-3.3-70b"]).await).await;
    let (status, said) = make(&app, "openai/gpt4o-mini").await;
    assert!(status == 400 && said.contains("gpt-4o-mini") && said.contains("lists 2 models"), "{status} {said}");
    let (status, said) = make(&app, "openai/claude-something-else").await;
    assert!(status == 400 && !said.contains("may be meant"), "{status} {said}");
    assert_eq!(make(&app, "openai/llama-3.3-70b").await.0, 201);
    assert_eq!(make(&app, "builtin/extractive").await.0, 201);
    let agent = app.agent(&[]).await;
    let path = format!("/api/agents/{agent}");
    let change = |model: &str| app.send(&User::Service, Method::PATCH, &path, json!({ "model": model }));
    assert_eq!((change("openai/gpt-4o").await.status, change("openai/gpt-4o-mini").await.status), (400, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_lists_nothing_or_patterns_may_have_any_model() {
    let quiet = ScriptedModel::start([Turn::Say("Hello.")]).await;
    for url in [quiet.url.clone(), endpoint(&["openai/*"]).await, endpoint(&[]).await] {
        let app = app(url).await;
        assert_eq!(make(&app, "openai/whatever").await.0, 201);
    }
}
