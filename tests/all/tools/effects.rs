//! What a tool says of itself takes away and never gives: what its calls can change is enforced, and approvals and hints follow
//! that.

use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use behalf_tests::{ALICE, App, Options, ScriptedModel, Turn, User, guests, read_grants};
use reqwest::Method;
use serde_json::{Value, json};

const COUNT: &str = "select count(*) from notes";
const DELETE: &str = "delete from notes where true";

/// A server that keeps the methods of the requests that it gets.
struct Server {
    host: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start() -> Self {
        async fn answer(State(seen): State<Arc<Mutex<Vec<String>>>>, request: Request) {
            seen.lock().unwrap().push(request.method().to_string());
        }
        let seen = Arc::default();
        let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { host, seen }
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// Everything that a plugin can be granted.
fn all_grants(host: &str) -> Value {
    json!({
        "database": {"access": "write", "schemas": ["public"]},
        "http": {"hosts": [host]},
        "files": {"workspace": "user"},
    })
}

async fn app(server: &Server, more: Vec<(&'static str, String)>) -> App {
    let settings = [("http_allow_private", server.host.clone())].into_iter().chain(more).collect();
    let app = App::with(Options { settings }).await;
    app.install(guests::EFFECTS, &all_grants(&server.host)).await;
    app
}

async fn call(app: &App, tool: &str, arguments: Value) -> Value {
    app.call(&User::Is(ALICE), tool, arguments).await.result().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_says_it_only_reads_changes_no_row_although_its_plugin_may_write() {
    let app = app(&Server::start().await, Vec::new()).await;
    for sql in [
        DELETE,
        "update notes set title = 'changed' where true",
        "insert into notes (owner_id, title) values (auth.uid(), 'new')",
        "with gone as (delete from notes returning id) select id from gone",
    ] {
        for mode in ["query", "execute"] {
            let refused = call(&app, "reading_sql", json!({"sql": sql, "mode": mode})).await;
            assert_eq!(refused["code"], "not_granted", "{mode} {sql}: {refused}");
        }
    }
    // What works in READ ONLY and is still no reading.
    for sql in [
        "select pg_notify('a', 'b')",
        "select pg_advisory_lock(1)",
        "select pg_try_advisory_xact_lock(1)",
        "select title from notes for update",
    ] {
        let refused = call(&app, "reading_sql", json!({"sql": sql, "mode": "query"})).await;
        assert!(["refused", "not_granted"].contains(&refused["code"].as_str().unwrap_or_default()), "{sql}: {refused}");
    }
    assert_eq!(app.database.value::<i64>(COUNT).await, 3);
    let read = call(&app, "reading_sql", json!({"sql": "select title from notes", "mode": "query"})).await;
    assert_eq!(read, json!({"rows": 2, "committed": true}));
    let written = call(&app, "silent_sql", json!({"sql": DELETE})).await;
    assert_eq!(written, json!({"rows": 2, "committed": true}), "the grant is there");
    assert_eq!(app.database.value::<i64>(COUNT).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_says_it_only_reads_sends_get_and_head_alone() {
    let server = Server::start().await;
    let app = app(&server, Vec::new()).await;
    let fetch =
        async |tool: &str, method: &str| call(&app, tool, json!({"authority": server.host, "method": method})).await;
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "QUERY"] {
        let refused = fetch("reading_fetch", method).await;
        assert!(refused["error"].as_str().is_some_and(|error| error.contains("RequestDenied")), "{method}: {refused}");
    }
    assert_eq!(server.seen(), [""; 0]);
    for method in ["GET", "HEAD"] {
        assert_eq!(fetch("reading_fetch", method).await, json!({"status": 200}), "{method}");
    }
    assert_eq!(fetch("silent_fetch", "POST").await, json!({"status": 200}), "the grant is there");
    assert_eq!(server.seen(), ["GET", "HEAD", "POST"]);
    let answer = app.call(&User::Is(ALICE), "reading_fetch", json!({"authority": server.host, "method": "PUT"})).await;
    app.settled().await;
    let row = app.audit_of(&answer).await;
    assert_eq!((&row["egress"][0]["method"], &row["egress"][0]["error"]), (&json!("PUT"), &json!("denied")), "{row}");
    // Why stands in the record of the call.
    let path = format!("/api/tool-calls/{}/texts", row["call_id"].as_str().unwrap());
    let texts = app.get(&User::Service, &path).await.json;
    let line = texts["log"].as_array().unwrap().last().unwrap();
    assert_eq!(line["level"], "host", "{texts}");
    let said = line["message"].as_str().unwrap();
    assert!(
        said.starts_with(&format!("PUT to {} was not sent", server.host)) && said.contains("readOnlyHint"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_says_it_stays_inside_sends_nothing() {
    let server = Server::start().await;
    let app = app(&server, Vec::new()).await;
    for method in ["GET", "POST"] {
        let refused = call(&app, "closed_fetch", json!({"authority": server.host, "method": method})).await;
        assert!(refused["error"].as_str().is_some_and(|error| error.contains("RequestDenied")), "{method}: {refused}");
    }
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_says_it_only_reads_changes_no_file() {
    let app = app(&Server::start().await, Vec::new()).await;
    let first = call(&app, "reading_file", json!({"path": "/note", "text": "no"})).await;
    assert_eq!((&first["wrote"], &first["text"]), (&json!(false), &Value::Null), "{first}");
    let wrote = call(&app, "silent_file", json!({"path": "/note", "text": "yes"})).await;
    assert_eq!((&wrote["wrote"], &wrote["text"]), (&json!(true), &json!("yes")), "{wrote}");
    let after = call(&app, "reading_file", json!({"path": "/note", "text": "no"})).await;
    assert_eq!((&after["wrote"], &after["text"]), (&json!(false), &json!("yes")), "{after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn approvals_are_asked_for_by_what_a_call_can_change() {
    let delete = |tool| Turn::Call(vec![(tool, json!({"sql": DELETE}))]);
    let server = Server::start().await;
    let post = json!({"authority": server.host, "method": "POST"});
    let model = ScriptedModel::start([
        delete("reading_sql"),
        delete("silent_sql"),
        delete("adding_sql"),
        delete("closed_sql"),
        Turn::Call(vec![("silent_fetch", post.clone())]),
        Turn::Call(vec![("reading_fetch", post)]),
        Turn::Say("done"),
    ])
    .await;
    let app = app(&server, model.settings()).await;
    let agent = app.agent(&[]).await;
    for tool in ["reading_sql", "silent_sql", "adding_sql", "closed_sql", "silent_fetch", "reading_fetch"] {
        let assign = json!({"tool_type": "wasm", "tool_name": tool, "approval": "writes"});
        let assigned = app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await;
        assert_eq!(assigned.status, 201, "{}", assigned.text);
    }
    let settings = json!({ "settings": { "approval_timeout_seconds": 1 } });
    app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), settings).await;
    let run = app.ask(&User::Is(ALICE), &agent, "go").await;
    let results: Vec<_> = run.json["tool_calls"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", run.text))
        .iter()
        .map(|call| call["result"].as_str().unwrap().to_owned())
        .collect();
    assert!(results[0].contains("not_granted"), "who can change nothing is not asked for: {results:?}");
    for asked in &results[1..5] {
        assert!(asked.contains("nobody agreed"), "{results:?}");
    }
    assert!(results[5].contains("RequestDenied"), "{results:?}");
    assert_eq!(app.database.value::<i64>(COUNT).await, 3);
    assert_eq!(server.seen(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_say_what_is_enforced() {
    let server = Server::start().await;
    let app = app(&server, Vec::new()).await;
    let hints = async |tool: &str| {
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
        let request = app.request(&User::Is(ALICE), Method::POST, "/mcp").json(&list);
        let answer = request.header("accept", "application/json, text/event-stream").send().await.unwrap();
        let text = answer.text().await.unwrap();
        let json = text.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(&text).to_owned();
        let listed: Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {text}"));
        let tools = listed["result"]["tools"].as_array().unwrap().clone();
        let found = tools.into_iter().find(|known| known["name"] == tool);
        let hints = found.unwrap_or_else(|| panic!("{tool}: {text}"))["annotations"].clone();
        let shown = app.get(&User::Is(ALICE), &format!("/api/tools/{tool}")).await.json["annotations"].clone();
        let names = ["readOnlyHint", "destructiveHint", "openWorldHint"];
        assert_eq!(names.map(|name| hints[name].clone()), names.map(|name| shown[name].clone()), "{tool}");
        names.map(|name| hints[name].as_bool().unwrap_or_else(|| panic!("{tool} says no {name}")))
    };
    assert_eq!(hints("silent_sql").await, [false, true, true]);
    assert_eq!(hints("reading_sql").await, [true, false, true]);
    assert_eq!(hints("closed_sql").await, [false, true, false]);
    assert_eq!(hints("adding_sql").await, [false, true, true], "that it only adds is its own word");
    // Fewer grants: what nobody can do needs no word.
    let plugins = app.get(&User::Service, "/api/plugins").await.json;
    let plugin = plugins["plugins"].as_array().unwrap().iter().find(|plugin| plugin["bundled"] == false).unwrap();
    let path = format!("/api/plugins/{}", plugin["id"].as_str().unwrap());
    let changed = app.send(&User::Service, Method::PATCH, &path, json!({"grants": read_grants()})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!(hints("silent_sql").await, [true, false, false]);
}
