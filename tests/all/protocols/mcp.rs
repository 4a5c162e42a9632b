//! The Model Context Protocol: a client gets its caller's tools and rows, and nothing of a request remains after it.

use std::time::Duration;

use behalf_tests::app::token;
use behalf_tests::{ALICE, App, BOB, Options, User, eventually, guests, write_grants};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

const NOTES: &str = "select title, body from notes order by title";

fn ask(app: &App, user: &User, path: &str, message: &Value) -> RequestBuilder {
    let request = app.request(user, Method::POST, path);
    request.header("accept", "application/json, text/event-stream").json(message)
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// Every message of an answer, whether it came as JSON or as events.
async fn messages(response: Response) -> Vec<Value> {
    let events = response.headers()["content-type"].to_str().unwrap().starts_with("text/event-stream");
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    if !events {
        return vec![serde_json::from_str(&text).unwrap()];
    }
    let lines = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
    lines.filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The only answer to a message.
async fn answer(app: &App, user: &User, message: &Value) -> Value {
    let response = ask(app, user, "/mcp", message).send().await.unwrap();
    messages(response).await.pop().unwrap()
}

async fn result(app: &App, user: &User, tool: &str, arguments: Value) -> Value {
    let answer = answer(app, user, &call(tool, &arguments)).await;
    assert!(answer["result"].is_object(), "{answer}");
    answer["result"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_gets_their_own_rows_and_leaves_an_audit_row() {
    let app = App::start().await;
    for (user, own, other) in [(User::Is(ALICE), "tomatoes", "brakes"), (User::Is(BOB), "brakes", "tomatoes")] {
        let result = result(&app, &user, "database_query", json!({"query": NOTES})).await;
        let text = result.to_string();
        assert!(text.contains(own) && !text.contains(other), "{text}");
        assert!(result["structuredContent"]["result"].is_array(), "a list is wrapped: {text}");
        assert_eq!(result["isError"], false);
    }
    let acted = result(&app, &User::ServiceFor(BOB), "database_query", json!({"query": NOTES})).await.to_string();
    assert!(acted.contains("brakes") && !acted.contains("tomatoes"), "{acted}");
    let anon = result(&app, &User::Anon, "database_query", json!({"query": NOTES})).await.to_string();
    assert!(!anon.contains("brakes") && !anon.contains("tomatoes"), "{anon}");
    let rows = app.audit().await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["request_id"].is_string()), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_no_good_token_learns_where_to_get_one() {
    let app = App::with(Options { settings: vec![("jwt_issuer", "https://login.example/auth/v1".to_owned())] }).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for (user, error) in [(User::Nobody, false), (User::Token("a.b.c".to_owned()), true)] {
        let refused = ask(&app, &user, "/mcp", &list).send().await.unwrap();
        assert_eq!(refused.status(), 401);
        let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
        let address = challenge.split("resource_metadata=\"").nth(1).unwrap().trim_end_matches('"');
        assert_eq!(address, format!("{}/.well-known/oauth-protected-resource/mcp", app.url));
        assert_eq!(challenge.contains("invalid_token"), error, "{challenge}");
        let path = address.strip_prefix(&app.url).unwrap();
        let about = app.get(&User::Nobody, path).await.json;
        assert_eq!(about["resource"], format!("{}/mcp", app.url));
        assert_eq!(about["authorization_servers"], json!(["https://login.example/auth/v1"]));
    }
    let other = app.request(&User::Nobody, Method::GET, "/.well-known/oauth-protected-resource");
    let about: Value = other.header("host", "evil.example").send().await.unwrap().json().await.unwrap();
    assert!(!about.to_string().contains("evil.example"), "{about}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_session_to_take_over() {
    let app = App::start().await;
    let hello = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let opened = ask(&app, &User::Is(ALICE), "/mcp", &hello).send().await.unwrap();
    assert!(opened.headers().get("mcp-session-id").is_none());
    assert_eq!(messages(opened).await[0]["result"]["protocolVersion"], "2025-11-25");
    let id = "3f1b6a0e-0000-4000-8000-00000000000a";
    for user in [User::Is(ALICE), User::Is(BOB)] {
        let message = call("database_query", &json!({"query": NOTES}));
        let posted = ask(&app, &user, "/mcp", &message).header("mcp-session-id", id).send().await.unwrap();
        assert_eq!(posted.status(), 404);
        for method in [Method::GET, Method::DELETE] {
            let request = app.request(&user, method, "/mcp").header("accept", "text/event-stream");
            let refused = request.header("mcp-session-id", id).header("last-event-id", "1/0").send().await.unwrap();
            assert_eq!(refused.status(), 405);
        }
    }
    assert!(app.audit().await.is_empty(), "nothing was called");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_name_gets_nothing() {
    let settings = vec![("mcp_allowed_origins", "https://app.example".to_owned())];
    let app = App::with(Options { settings }).await;
    let message = call("database_query", &json!({"query": NOTES}));
    for (header, value, status) in [
        ("host", "evil.example", 403),
        ("host", "localhost:1", 200),
        ("origin", "https://evil.example", 403),
        ("origin", "https://app.example:444", 403),
        ("origin", "null", 403),
        ("origin", "https://app.example", 200),
        ("origin", "http://localhost:5173", 200),
    ] {
        let sent = ask(&app, &User::Is(ALICE), "/mcp", &message).header(header, value).send().await.unwrap();
        assert_eq!(sent.status(), status, "{header}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn results_have_the_protocol_s_form_and_errors_are_for_the_model() {
    let app = App::start().await;
    app.install(guests::CONTENT, &json!({})).await;
    let alice = User::Is(ALICE);
    let image = result(&app, &alice, "test_image_content", json!({})).await;
    assert_eq!((&image["content"][0]["type"], &image["structuredContent"]), (&json!("image"), &Value::Null), "{image}");
    let data = result(&app, &alice, "not_quite_content", json!({})).await;
    assert_eq!(data["content"][0]["type"], "text", "{data}");
    assert_eq!(data["structuredContent"]["content"][0]["mimeType"], "text/html");
    let text = result(&app, &alice, "test_simple_text", json!({})).await;
    assert_eq!(text["content"], json!([{"type": "text", "text": "This is a simple text response for testing."}]));
    let listed = result(&app, &alice, "listed", json!({})).await;
    assert_eq!(listed["structuredContent"], json!({"result": [1, 2, 3]}));
    for (tool, arguments, words) in [
        ("test_error_handling", json!({}), "This tool intentionally returns an error"),
        ("json_schema_2020_12_tool", json!({"address": {"city": 1}}), "/address/city"),
        ("database_query", json!({"query": "select pg_sleep(1)"}), "pg_sleep"),
    ] {
        let failed = result(&app, &alice, tool, arguments).await;
        assert_eq!(failed["isError"], true, "{failed}");
        assert!(failed["content"][0]["text"].as_str().unwrap().contains(words), "{failed}");
    }
    let unknown = answer(&app, &alice, &call("nobody_has_it", &json!({}))).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");

    let mut message = call("test_tool_with_progress", &json!({}));
    message["params"]["_meta"] = json!({"progressToken": "p"});
    let said = messages(ask(&app, &alice, "/mcp", &message).send().await.unwrap()).await;
    let reports: Vec<_> = said.iter().filter(|message| message["method"] == "notifications/progress").collect();
    let done: Vec<_> = reports.iter().map(|report| report["params"]["progress"].as_f64().unwrap()).collect();
    assert_eq!(done, [0.0, 50.0, 100.0], "each is further than the one before: {said:?}");
    assert!(reports.iter().all(|report| report["params"]["progressToken"] == "p"));
    assert_eq!(said.last().unwrap()["result"]["content"][0]["text"], "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_in_pages_with_what_a_client_needs_to_know() {
    let app = App::start().await;
    for (guest, grants) in [(guests::CONTENT, json!({})), (guests::PROBE, write_grants()), (guests::HOSTILE, json!({}))]
    {
        app.install(guest, &grants).await;
    }
    let (mut names, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let params = cursor.take().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": params});
        let page = answer(&app, &User::Is(ALICE), &list).await["result"].clone();
        for tool in page["tools"].as_array().unwrap() {
            assert!(tool["inputSchema"]["type"] == "object" && tool["description"].is_string(), "{tool}");
            assert!(tool["outputSchema"].is_null() || tool["outputSchema"]["type"] == "object", "{tool}");
            if tool["name"] == "listed" {
                assert_eq!((&tool["title"], &tool["annotations"]["readOnlyHint"]), (&json!("A list"), &json!(true)));
                assert_eq!(tool["outputSchema"]["properties"]["result"]["type"], "array");
            }
            names.push(tool["name"].as_str().unwrap().to_owned());
        }
        pages += 1;
        match page["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let all: Vec<_> = app.state.tools.list().into_iter().map(|tool| tool.name).collect();
    assert!(pages > 1 && names == all, "{pages} pages, {names:?}");
    let bad = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": "!"}});
    assert_eq!(answer(&app, &User::Is(ALICE), &bad).await["error"]["code"], -32602);
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}});
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}});
    let request = ask(&app, &User::Is(ALICE), "/mcp", &list).header("mcp-protocol-version", "2026-07-28");
    let page = messages(request.header("mcp-method", "tools/list").send().await.unwrap()).await;
    assert_eq!(page[0]["result"]["cacheScope"], "private", "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_s_address_shows_its_tools_and_no_others() {
    let app = App::start().await;
    let made = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await;
    let agent = made.json["id"].as_str().unwrap();
    let body = json!({"tool_type": "builtin", "tool_name": "database_query"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), body).await.status, 201);
    let path = format!("/mcp/agents/{agent}");
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let listed = messages(ask(&app, &User::Is(BOB), &path, &list).send().await.unwrap()).await;
    let tools = listed[0]["result"]["tools"].as_array().unwrap();
    assert!(tools.len() == 1 && tools[0]["name"] == "database_query", "{tools:?}");
    let message = call("database_query", &json!({"query": NOTES}));
    let mine = messages(ask(&app, &User::Is(BOB), &path, &message).send().await.unwrap()).await;
    let text = mine[0].to_string();
    assert!(text.contains("brakes") && !text.contains("tomatoes"), "{text}");
    let message = call("database_write", &json!({"table": "notes", "operation": "delete", "where": {}}));
    let other = messages(ask(&app, &User::Is(BOB), &path, &message).send().await.unwrap()).await;
    assert_eq!(other[0]["error"]["code"], -32602, "{other:?}");
    assert_eq!(ask(&app, &User::Anon, &path, &list).send().await.unwrap().status(), 401);
    let missing = format!("/mcp/agents/{ALICE}");
    assert_eq!(ask(&app, &User::Is(BOB), &missing, &list).send().await.unwrap().status(), 404);
    assert_eq!(app.audit().await[0]["agent_id"], agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_or_deserted_call_ends_and_leaves_no_trace() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    let insert = format!("insert into notes (owner_id, title, body) values ('{ALICE}', 'late', 'late')");
    let message = call("wait_between", &json!({"first": insert, "wait_ms": 20_000, "second": "select 1"}));
    let post = |user: User| ask(&app, &user, "/mcp", &message).send();
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});

    // A token contains the time it was made, and a cancellation must come with the same token as its call.
    let mine = User::Token(token(ALICE));
    let alice = tokio::spawn(post(mine.clone()));
    app.running(1).await;
    for user in [User::Is(BOB), User::Anon, User::ServiceFor(ALICE)] {
        assert_eq!(ask(&app, &user, "/mcp", &cancel).send().await.unwrap().status(), 202);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(app.state.tools.sandbox().running_calls(), 1, "nobody else ends it");
    assert_eq!(ask(&app, &mine, "/mcp", &cancel).send().await.unwrap().status(), 202);
    let ended = messages(alice.await.unwrap().unwrap()).await;
    assert!(ended[0]["error"]["message"].as_str().unwrap().contains("cancelled"), "{ended:?}");
    app.settled().await;

    let deserted = tokio::spawn(post(User::Is(ALICE)));
    app.running(1).await;
    deserted.abort();
    app.settled().await;
    let late: i64 = app.database.value("select count(*) from notes where title = 'late'").await;
    assert_eq!(late, 0);
    eventually("both are in the audit log", async || {
        let rows = app.audit().await;
        rows.len() == 2 && rows.iter().all(|row| row["outcome"] == "cancelled")
    })
    .await;
}
