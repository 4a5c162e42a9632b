//! Pages of other origins: every header that a client of these faces sends passes, and every header of an answer can be read.

use behalf_tests::{ALICE, App, Options, User};
use reqwest::{Method, RequestBuilder};
use serde_json::json;

const ORIGIN: &str = "https://app.example.com";

/// What `openai` 7.57 sends from a page (`buildHeaders` in its `client.js`), what MCP's clients of both revisions send
/// (<https://modelcontextprotocol.io/specification>), and what Supabase's clients and tus send.
const SENT: [(&str, &[&str]); 4] = [
    (
        "/v1/chat/completions",
        &[
            "authorization",
            "content-type",
            "idempotency-key",
            "openai-organization",
            "openai-project",
            "x-behalf-session-id",
            "x-stainless-arch",
            "x-stainless-helper-method",
            "x-stainless-lang",
            "x-stainless-os",
            "x-stainless-package-version",
            "x-stainless-retry-count",
            "x-stainless-runtime",
            "x-stainless-runtime-version",
            "x-stainless-timeout",
        ],
    ),
    ("/mcp", &["authorization", "last-event-id", "mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id"]),
    (
        "/rest/v1/notes",
        &["accept-profile", "apikey", "content-profile", "prefer", "range", "range-unit", "x-client-info"],
    ),
    (
        "/storage/v1/upload/resumable",
        &["tus-resumable", "upload-length", "upload-metadata", "upload-offset", "x-upsert"],
    ),
];

/// Headers that every page can read (<https://fetch.spec.whatwg.org/#cors-safelisted-response-header-name>), and those that are the
/// browser's and not the page's.
const READ_BY_ALL: [&str; 18] = [
    "cache-control",
    "connection",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "cross-origin-resource-policy",
    "date",
    "expires",
    "last-modified",
    "pragma",
    "referrer-policy",
    "transfer-encoding",
    "vary",
    "x-accel-buffering",
    "x-content-type-options",
    "x-frame-options",
    "x-robots-tag",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_header_that_a_client_sends_from_a_page_passes() {
    let app = App::start().await;
    for (path, names) in SENT {
        let asked = app.request(&User::Nobody, Method::OPTIONS, path).header("origin", ORIGIN);
        let asked = asked.header("access-control-request-method", "POST");
        let answer = asked.header("access-control-request-headers", names.join(",")).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let allowed = answer.headers()["access-control-allow-headers"].to_str().unwrap().to_lowercase();
        for name in names {
            assert!(allowed.split(',').any(|one| one.trim() == *name), "{path}: {name}: {allowed}");
        }
    }
}

/// The headers of an answer that its page cannot read.
async fn hidden(request: RequestBuilder) -> (u16, Vec<String>) {
    let answer = request.header("origin", ORIGIN).send().await.unwrap();
    let exposed = answer.headers()["access-control-expose-headers"].to_str().unwrap().to_lowercase();
    let exposed: Vec<_> = exposed.split(',').map(str::trim).collect();
    let can_read =
        |name: &str| name.starts_with("access-control-") || READ_BY_ALL.contains(&name) || exposed.contains(&name);
    let names = answer.headers().keys().map(http::HeaderName::as_str);
    (answer.status().as_u16(), names.filter(|name| !can_read(name)).map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_header_of_an_answer_can_be_read_by_its_page() {
    let app = App::with(Options { settings: vec![("rate_limit_runs", "2".to_owned())] }).await;
    let agent = app.agent(&[]).await;
    let alice = User::Is(ALICE);
    let completion = || {
        let body = json!({"model": agent, "messages": [{"role": "user", "content": "hi"}]});
        app.request(&alice, Method::POST, "/v1/chat/completions").json(&body)
    };
    let bucket = json!({"id": "open", "name": "open", "public": true});
    assert_eq!(app.post(&User::Service, "/storage/v1/bucket", bucket).await.status, 200);
    let put = app.request(&User::Service, Method::POST, "/storage/v1/object/open/a.txt");
    let put = put.header("content-type", "text/plain").body("text");
    assert_eq!(put.send().await.unwrap().status(), 200);
    let get = |path: &str| app.request(&alice, Method::GET, path);
    for (what, request, status) in [
        ("an answer", completion(), 200),
        ("a repeated one", completion().header("idempotency-key", "k"), 200),
        ("one too many", completion(), 429),
        ("no token", app.request(&User::Nobody, Method::GET, "/v1/models"), 401),
        ("rows", get("/rest/v1/notes?select=title").header("prefer", "count=exact"), 200),
        ("an object", get("/storage/v1/object/public/open/a.txt?download=b.txt"), 200),
        ("another method", app.request(&alice, Method::DELETE, "/api/tools"), 405),
    ] {
        assert_eq!(hidden(request).await, (status, Vec::new()), "{what}");
    }
}
