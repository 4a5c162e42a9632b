//! Tools that send requests, and tools with the mistakes that people make, in each language.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use behalf_tests::projects::project;
use behalf_tests::{ALICE, App, Options, User, guests};
use serde_json::{Value, json};

/// Answers with what it was sent, or that there is nothing; returns `host:port`.
async fn server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let router = axum::Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    host
}

async fn answer(request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/missing" {
        return (StatusCode::NOT_FOUND, "nothing").into_response();
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let seen = json!({
        "method": parts.method.to_string(), "body": String::from_utf8(body.to_vec()).unwrap(), "by": header("x-made-by"),
        "type": header("content-type"), "length": header("content-length"), "user": header("authorization").is_some(),
    });
    axum::Json(seen).into_response()
}

/// A host that may reach the server, with a plugin that was granted it.
async fn app_with(file: &str, server: &str, mut grants: Value) -> App {
    let app = App::with(Options { settings: vec![("http_allow_private", server.to_owned())] }).await;
    grants["http"] = json!({ "hosts": [server] });
    app.install(file, &grants).await;
    app
}

fn grants() -> Value {
    json!({
        "database": { "access": "read", "schemas": ["public"], "tables": ["public.notes"] },
        "storage": { "buckets": ["files"], "access": "write" },
    })
}

async fn component(language: &str) -> String {
    project(&format!("tests/languages/{language}")).await.display().to_string()
}

/// What every language has to see.
async fn sends_requests(language: &str, file: &str, grants: Value) -> Value {
    let server = server().await;
    let app = app_with(file, &server, grants).await;
    let answer = app.call(&User::Is(ALICE), "web", json!({ "base": format!("http://{server}") })).await;
    let result = answer.result();
    assert_eq!((&result["posted"][0], &result["missing"]), (&json!(200), &json!(404)), "{language}: {}", answer.text);
    let seen: Value = serde_json::from_str(result["posted"][1].as_str().unwrap()).unwrap();
    let body: Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, json!({ "a": "é" }), "{language}: {seen}");
    assert_eq!((&seen["method"], &seen["by"]), (&json!("POST"), &json!(language)), "{language}");
    assert_eq!((&seen["type"], &seen["user"]), (&json!("application/json"), &json!(false)), "{language}");
    assert!(seen["length"].is_string(), "{language} sends its body in chunks: {seen}");
    assert_eq!(result["denied"][0], "denied", "{language}: {}", answer.text);
    let message = result["denied"][1].as_str().unwrap();
    assert!(message.contains("denied.example.com") && message.contains("[grants.http]"), "{language}: {message}");
    result.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_in_rust_sends_requests() {
    sends_requests("rust", guests::CLIENT, json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fetch_in_javascript_sends_requests() {
    let result = sends_requests("js", &component("js").await, grants()).await;
    assert_eq!(result["fetch"], 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_libraries_of_python_send_requests() {
    let result = sends_requests("python", &component("python").await, grants()).await;
    for library in ["urllib", "requests", "httpx"] {
        assert_eq!(result[library], 200, "{library}: {result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_functions_of_c_send_requests() {
    sends_requests("c", &component("c").await, grants()).await;
}

/// The words that an author reads are kept as they are: each says what is wrong and what to do.
const MISTAKES: &str = include_str!("mistakes.txt");

#[tokio::test(flavor = "multi_thread")]
async fn what_works_elsewhere_works_or_says_what_to_do_instead() {
    let mut said = String::new();
    for (language, mistakes) in [
        ("python", &["bare import", "run", "thread", "stuck", "socket", "array", "import"][..]),
        ("js", &["collections", "locale", "array", "date"]),
    ] {
        let server = server().await;
        let app = app_with(&component(language).await, &server, grants()).await;
        let later = app.call(&User::Is(ALICE), "later", json!({ "number": 4 })).await;
        assert_eq!(later.result(), &json!(5), "{language}: {}", later.text);
        for which in mistakes {
            let answer = app.call(&User::Is(ALICE), "mistakes", json!({ "which": which })).await;
            assert_eq!(answer.status, 200, "{language} {which}: {}", answer.text);
            let result = answer.result();
            let text = result.as_str().map_or_else(|| result.to_string(), str::to_owned);
            said.push_str(&format!("{language}, {which}: {text}\n"));
        }
    }
    assert_eq!(said, MISTAKES, "mistakes.txt is not current");
}
