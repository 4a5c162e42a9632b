//! How a host starts: it listens at once and says what it waits for, it loads and prepares what is needed when it is needed, and
//! it ends where it cannot start.

use behalf::app::StartError;
use behalf_tests::app::{STATE_DIR, settings, token};
use behalf_tests::database::run;
use behalf_tests::projects::behalf_with;
use behalf_tests::{
    ALICE, Answer, App, LOGIN_PASSWORD, LogLines, Options, SECRET, TestDatabase, User, components, eventually, guests,
    write_grants,
};
use reqwest::{Client, Method};
use serde_json::json;

/// An address that nobody listens on.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Checks that a host that starts refuses a request in the usual form, and says what it waits for.
async fn is_refused(request: reqwest::RequestBuilder) {
    let response = request.send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("retry-after").as_str(), header("content-type").as_str()), ("1", "application/problem+json"));
    let id = header("x-request-id");
    let Answer { status, json: body, .. } = Answer::of(response).await;
    assert_eq!((status, &body["type"]), (503, &json!("urn:behalf:problem:unavailable")), "{body}");
    assert_eq!(body["request_id"], id, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("is starting and waits for the list of tools"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_listens_before_its_tools_are_read_and_says_what_it_waits_for() {
    let (database, address, client) = (TestDatabase::create().await, free_address(), Client::new());
    let mut owner = database.owner().await;
    run(&mut owner, "begin; lock table ai.plugins in access exclusive mode").await;
    let request = |method: Method, path: &str| client.request(method, format!("http://{address}{path}"));
    let watch = async {
        eventually("the host wants to read its tools", async || {
            let Ok(response) = request(Method::GET, "/readyz").send().await else { return false };
            Answer::of(response).await.text.contains("the list of tools")
        })
        .await;
        is_refused(request(Method::GET, "/readyz")).await;
        is_refused(request(Method::GET, "/")).await;
        let call = request(Method::POST, "/api/tools/database_query/call").bearer_auth(token(ALICE));
        is_refused(call.json(&json!({ "arguments": {"query": "select 1"} }))).await;
        for path in ["/healthz", "/api/health"] {
            let answer = Answer::of(request(Method::GET, path).send().await.unwrap()).await;
            assert_eq!((answer.status, &answer.json["status"]), (200, &json!("healthy")), "{}", answer.text);
        }
        run(&mut owner, "rollback").await;
    };
    let options = Options { settings: vec![("bind", address.clone())] };
    let (app, ()) = tokio::join!(App::on(database.clone(), options), watch);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(app.get(&User::Nobody, path).await.status, 200, "{path}");
    }
    app.call(&User::Is(ALICE), "database_query", json!({"query": "select 1 as one"})).await.result();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_calls_of_a_plugin_load_it_once() {
    let log = LogLines::take();
    let app = App::start().await;
    let installed = app.install(guests::PROBE, &write_grants()).await;
    let alice = User::Is(ALICE);
    let calls = futures::future::join_all((0..50).map(|_| app.call(&alice, "identity", json!({})))).await;
    for answer in calls {
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let (text, name) = (log.text(), format!("plugin.name={}", installed.json["name"]));
    let loads = text.lines().filter(|line| line.contains("a component is loaded") && line.contains(&name));
    assert_eq!(loads.count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_schema_that_cannot_be_used_fails_the_calls_of_its_own_tool() {
    let log = LogLines::take();
    let app = App::start().await;
    for name in ["broken", "whole"] {
        let upload = app.upload_bytes(components::tool(name, &json!({"type": "object"})), &json!({}), "").await;
        assert_eq!(upload.status, 201, "{}", upload.text);
    }
    let database = app.stop().await;
    let deep = (0..70).fold(json!({}), |below, _| json!({ "items": below }));
    let schema = json!({"type": "object", "properties": {"a": deep}});
    database
        .execute(&format!(
            "update ai.plugin_tools set definition = jsonb_set(definition, '{{inputSchema}}', '{schema}') where name = 'broken'"
        ))
        .await;
    let app = App::on(database, Options::default()).await;
    let alice = User::Is(ALICE);
    for _ in 0..3 {
        let answer = app.call(&alice, "broken", json!({})).await;
        assert_eq!((answer.status, &answer.json["code"]), (503, &json!("unavailable")), "{}", answer.text);
    }
    assert_eq!(app.call(&alice, "whole", json!({})).await.result(), &json!({}));
    assert_eq!(app.get(&alice, "/api/tools/broken").await.json["input_schema"], schema, "it is shown as it is stored");
    let text = log.text();
    let said = text.lines().filter(|line| line.contains("ERROR") && line.contains("a stored schema cannot be used"));
    assert_eq!(said.count(), 1, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_start_says_why_and_listens_no_more() {
    let (database, address) = (TestDatabase::create().await, free_address());
    let wrong = database.host_url().replace(LOGIN_PASSWORD, "another-password");
    let build = async |host: String| {
        let changed = vec![("host_database_url", host), ("bind", address.clone())];
        behalf::app::App::build(settings(&database, Options { settings: changed }), None).await.unwrap_err()
    };
    let error = build(wrong.clone()).await;
    assert!(matches!(error, StartError::Database(_)), "{error:?}");
    assert!(error.to_string().contains("cannot reach the database as the host"), "{error}");
    eventually("nobody listens", async || tokio::net::TcpStream::connect(&address).await.is_err()).await;

    let environment = [
        ("host_database_url", wrong),
        ("tool_database_url", database.tool_url()),
        ("bind", address.clone()),
        ("jwt_secret", SECRET.to_owned()),
        ("state_dir", STATE_DIR.to_owned()),
    ];
    let printed = behalf_with(&environment, &["serve"]).await;
    assert!(!printed.ok && printed.err.contains("cannot be reached"), "{}", printed.err);

    let _held = std::net::TcpListener::bind(&address).unwrap();
    let error = build(database.host_url()).await;
    assert!(matches!(error, StartError::Bind(..)), "{error:?}");
}
