//! Official clients and suites, run as their users run them. `./dev test` fetches them; `tests/clients` says which.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use behalf_config::environment;
use behalf_tests::app::token;
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User, guests};
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, TRANSFER_ENCODING};
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

const NOTES: &str = "select title, body from notes order by title";
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");

/// The folder of the packages.
pub(crate) fn clients() -> PathBuf {
    environment("BEHALF_TEST_CLIENTS").map(PathBuf::from).expect("BEHALF_TEST_CLIENTS is not set: use `./dev test`")
}

pub(crate) fn node() -> Command {
    let bin = clients().join("node_modules/.bin");
    let mut node = Command::new(bin.join("node"));
    // The programs start others, which must find the same Node.
    node.env("PATH", format!("{}:{}", bin.display(), environment("PATH").unwrap_or_default()));
    node
}

pub(crate) async fn run(command: &mut Command) -> Output {
    command.kill_on_drop(true);
    tokio::time::timeout(Duration::from_mins(2), command.output()).await.expect("it ends").unwrap()
}

pub(crate) fn words(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A proxy in front of a host that adds a user's token, because the suite cannot send one. It passes on everything else,
/// `Host` included.
async fn with_token(app: &App, user: Uuid) -> String {
    let (url, http, bearer) = (app.url.clone(), reqwest::Client::new(), format!("Bearer {}", token(user)));
    let forward = move |request: Request| {
        let (url, http, bearer) = (url.clone(), http.clone(), bearer.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let mut headers = parts.headers;
            headers.insert(AUTHORIZATION, bearer.parse().unwrap());
            headers.remove(CONTENT_LENGTH);
            let sent =
                http.request(parts.method, format!("{url}{}", parts.uri)).headers(headers).body(body).send().await;
            let answer = sent.unwrap();
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers().iter().filter(|(name, _)| *name != TRANSFER_ENCODING) {
                response = response.header(name, value);
            }
            response.body(Body::from_stream(answer.bytes_stream())).unwrap()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://localhost:{}/mcp", listener.local_addr().unwrap().port());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(forward)).await });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_s_conformance_suite_finds_no_fault_that_is_not_written_down() {
    let app = App::start().await;
    app.install(guests::CONTENT, &json!({})).await;
    let url = with_token(&app, ALICE).await;
    let common = ["tools-call-with-progress", "tools-call-mixed-content", "dns-rebinding-protection"];
    let of_2026 = ["server-sse-multiple-streams", "http-header-validation", "sep-2164-resource-not-found"];
    for (package, list, file, passed) in [
        (
            "@modelcontextprotocol/conformance",
            ["--suite", "all"],
            "expected-failures.yaml",
            &["json-schema-2020-12", "resources-templates-read", "prompts-get-with-image"][..],
        ),
        ("conformance-2026", ["--requirements", "2026-07-28"], "expected-failures-2026-07-28.yaml", &of_2026[..]),
    ] {
        let mut suite = node();
        suite.arg(clients().join("node_modules").join(package).join("dist/index.js")).args(["server", "--url", &url]);
        suite.args(list).arg("--expected-failures").arg(Path::new(SOURCES).join("mcp").join(file));
        let folder = tempfile::tempdir().unwrap();
        let output = run(suite.current_dir(&folder)).await;
        assert!(output.status.success(), "{}", words(&output));
        let words = words(&output);
        for scenario in common.iter().chain(passed) {
            assert!(words.contains(&format!("✓ {scenario}: ")), "{scenario}: {words}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mcp_s_inspector_gets_each_user_s_own_rows() {
    let app = App::start().await;
    for (user, own, other) in [(ALICE, "tomatoes", "brakes"), (BOB, "brakes", "tomatoes")] {
        for era in ["legacy", "modern"] {
            let inspector = async |arguments: &[&str]| {
                let mut inspector = node();
                inspector
                    .arg(clients().join("node_modules/.bin/mcp-inspector"))
                    .args(["--cli", &format!("{}/mcp", app.url)]);
                inspector.args(["--transport", "http", "--protocol-era", era]);
                inspector.arg("--header").arg(format!("Authorization: Bearer {}", token(user)));
                let home = tempfile::tempdir().unwrap();
                let output = run(inspector.args(arguments).env("HOME", home.path())).await;
                assert!(output.status.success(), "{era}: {}", words(&output));
                words(&output)
            };
            if user == ALICE {
                let listed = inspector(&["--method", "tools/list"]).await;
                assert!(listed.contains("database_query") && listed.contains("inputSchema"), "{era}: {listed}");
            }
            let query = format!("query={NOTES}");
            let call = ["--method", "tools/call", "--tool-name", "database_query", "--tool-arg", &query];
            let called = inspector(&call).await;
            assert!(called.contains(own) && !called.contains(other), "{era}: {called}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_s_packages_run_an_agent_as_each_user() {
    let model = ScriptedModel::start(std::iter::repeat_n(Turn::Say(r#"{"count": 1}"#), 4)).await;
    let app = App::with(Options {
        settings: vec![("model_base_url", model.url.clone()), ("model_api_key", "a-key".to_owned())],
    })
    .await;
    for (name, model, tool) in [("helper", "builtin/extractive", true), ("scripted", "openai/scripted", false)] {
        let made = app.post(&User::Service, "/api/agents", json!({"name": name, "model": model})).await;
        let path = format!("/api/agents/{}/tools", made.json["id"].as_str().unwrap());
        let body = json!({"tool_type": "builtin", "tool_name": "database_query"});
        assert!(!tool || app.post(&User::Service, &path, body).await.status == 201);
    }
    let python = || Command::new(clients().join("python/bin/python"));
    for (user, own, other) in [(ALICE, "tomatoes", "brakes"), (BOB, "brakes", "tomatoes")] {
        for (mut program, script) in [(node(), "openai/client.mjs"), (python(), "openai/client.py")] {
            program.arg(Path::new(SOURCES).join(script)).env("BASE_URL", &app.url).env("TOKEN", token(user));
            program.env("CLIENTS", clients()).env("QUESTION", format!("/database_query {}", json!({"query": NOTES})));
            let output = run(&mut program).await;
            assert!(output.status.success(), "{script}: {}", words(&output));
            let got: Value = serde_json::from_slice(&output.stdout).unwrap();
            let text = got["plain"].as_str().unwrap();
            assert!(text.contains(own) && !text.contains(other), "{script}: {text}");
            assert_eq!((&got["streamed"], &got["finish"]), (&got["plain"], &json!("stop")), "{script}");
            assert!(got["cost"].is_u64() && got["parsed"] == json!({"count": 1}), "{script}: {got}");
            let refused = |name: &str| (got[name]["kind"].as_str().unwrap(), got[name]["code"].as_str().unwrap());
            assert_eq!(refused("stranger"), ("AuthenticationError", "invalid_api_key"));
            assert_eq!(refused("missing"), ("NotFoundError", "model_not_found"));
            assert_eq!(refused("tools"), ("BadRequestError", "unsupported_parameter"));
            assert_eq!(got["tools"]["param"], "tools");
        }
    }
    assert_eq!(model.requests().len(), 4);
}
