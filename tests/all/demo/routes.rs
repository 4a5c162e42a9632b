//! What the routes of the demo tell, and to whom.

use behalf_tests::{App, User};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::dev_host::DevHost;

const PATHS: [&str; 5] =
    ["/demo/chat", "/demo/chat/chat.js", "/demo/chat/chat.css", "/demo/chat/setup", "/demo/chat/statements"];

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_was_not_asked_for_it_has_no_demo() {
    let app = App::start().await;
    for path in PATHS {
        for user in [User::Nobody, User::Anon, User::Service] {
            let answer = app.get(&user, path).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.text);
        }
    }
    assert!(app.state.routes().iter().all(|route| !route.path.starts_with("/demo")));
}

/// The status of the setup for a request with these headers, and whether a password is in its answer.
async fn setup(host: &DevHost, headers: &[(&str, &str)]) -> (u16, bool) {
    let mut request = Client::new().get(format!("{}/demo/chat/setup", host.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.text().await.unwrap().contains(&host.kept("ALICE_PASSWORD")))
}

async fn asked(host: &DevHost, path: &str, token: Option<&str>) -> Response {
    let request = Client::new().get(format!("{}{path}", host.url)).header("apikey", host.kept("ANON_KEY"));
    match token {
        Some(token) => request.bearer_auth(token).send().await.unwrap(),
        None => request.send().await.unwrap(),
    }
}

async fn token(host: &DevHost, user: &str) -> String {
    let password = host.kept(&format!("{}_PASSWORD", user.to_uppercase()));
    let body = json!({ "email": format!("{user}@example.com"), "password": password });
    let request = Client::new().post(format!("{}/auth/v1/token?grant_type=password", host.url)).json(&body);
    let session: Value = request.header("apikey", host.kept("ANON_KEY")).send().await.unwrap().json().await.unwrap();
    session["access_token"].as_str().unwrap_or_else(|| panic!("{session}")).to_owned()
}

/// Calls a tool, so that a statement runs.
async fn query(host: &DevHost, token: &str, sql: &str) {
    let request = Client::new().post(format!("{}/api/tools/database_query/call", host.url)).bearer_auth(token);
    let body = json!({ "arguments": { "query": sql } });
    request.header("apikey", host.kept("ANON_KEY")).json(&body).send().await.unwrap();
}

async fn statements(host: &DevHost, token: &str, after: u64) -> Value {
    let answer = asked(host, &format!("/demo/chat/statements?after={after}"), Some(token)).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

/// The setup is told to the page on this machine, and to nobody else.
async fn check_setup(host: &DevHost) {
    let port = host.url.rsplit_once(':').unwrap().1;
    let own = host.url.clone();
    let rebound = format!("rebound.example:{port}");
    let local = format!("localhost:{port}");
    for headers in [
        vec![],
        vec![("sec-fetch-site", "same-origin")],
        vec![("origin", &*own), ("sec-fetch-site", "same-origin")],
        vec![("host", &*local)],
    ] {
        assert_eq!(setup(host, &headers).await, (200, true), "{headers:?}");
    }
    for headers in [
        vec![("origin", "https://other.example"), ("sec-fetch-site", "cross-site")],
        vec![("origin", "https://other.example")],
        vec![("origin", "null")],
        vec![("sec-fetch-site", "cross-site")],
        vec![("host", &*rebound)],
        vec![("x-forwarded-for", "192.0.2.7")],
    ] {
        assert_eq!(setup(host, &headers).await, (403, false), "{headers:?}");
    }
}

/// The files have the policy, and there are no others.
async fn check_files(host: &DevHost) {
    for path in &PATHS[..3] {
        let answer = asked(host, path, None).await;
        assert_eq!(answer.status(), 200, "{path}");
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;",
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("referrer-policy"), "no-referrer");
    }
    for path in ["/demo/chat/chat.ts", "/demo/chat/..%2Fsetup.rs", "/demo/chat/samples", "/demo"] {
        assert_eq!(asked(host, path, None).await.status(), 404, "{path}");
    }
    assert_eq!(asked(host, "/demo/chat?x=1", None).await.status(), 400);
}

/// Each user is told their own statements, and who is no user none.
async fn check_statements(host: &DevHost) {
    let (alice, bob) = (token(host, "alice").await, token(host, "bob").await);
    let before = statements(host, &alice, 0).await["last"].as_u64().unwrap();
    query(host, &alice, "select title from notes where title <> 'a text of alice'").await;
    query(host, &bob, "select title from notes where title <> 'a text of bob'").await;
    query(host, &alice, "select set_config('a.b', 'c', true)").await;
    let of_alice = statements(host, &alice, before).await;
    let list = of_alice["statements"].as_array().unwrap();
    assert_eq!(list.len(), 2, "{of_alice}");
    assert_eq!(list[0]["text"], "select title from notes where title <> 'a text of alice'");
    let told = (&list[0]["tool"], &list[0]["role"], &list[0]["rows"], &list[0]["verdict"]);
    assert_eq!(told, (&json!("database_query"), &json!("authenticated"), &json!(2), &json!("allowed")));
    assert!(list[1]["verdict"] != "allowed" && list[1]["rows"] == 0, "{of_alice}");
    assert!(!of_alice.to_string().contains("a text of bob"), "{of_alice}");
    let of_bob = statements(host, &bob, 0).await.to_string();
    assert!(of_bob.contains("a text of bob") && !of_bob.contains("a text of alice"), "{of_bob}");
    for (caller, status) in [(None, 401), (Some(host.kept("SERVICE_ROLE_KEY")), 403), (Some("x".to_owned()), 401)] {
        assert_eq!(asked(host, "/demo/chat/statements", caller.as_deref()).await.status(), status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_for_the_page_alone_and_statements_for_whom_they_ran_as() {
    let host = DevHost::start().await;
    check_setup(&host).await;
    check_files(&host).await;
    check_statements(&host).await;
}
