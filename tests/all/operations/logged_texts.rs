//! Texts of guests, servers, models and callers: the log and the audit log have none of them, the record of a call has.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use behalf_tests::{
    ALICE, Answer, App, LogLines, Options, ScriptedModel, TestDatabase, Turn, User, components, guests, write_grants,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Stands in everything that somebody else writes.
const MARKER: &str = "ZEBRA-7731";

/// A server that says the marker as a tool, as an MCP server and as a model.
async fn server() -> String {
    let router = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    host
}

async fn answer(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    if path != "/mcp" {
        let body = json!({"error": {"message": MARKER, "code": MARKER, "type": MARKER}}).to_string();
        return (StatusCode::BAD_REQUEST, [("content-type", "application/json"), ("x-said", MARKER)], body)
            .into_response();
    }
    if message["id"].is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    let result = match message["method"].as_str().unwrap() {
        "initialize" => json!({
            "protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
            "serverInfo": {"name": MARKER, "version": MARKER}, "instructions": MARKER,
        }),
        "tools/list" => json!({"tools": [
            {"name": "balance", "description": MARKER, "inputSchema": {"type": "object"}},
            {"name": MARKER, "inputSchema": {"type": "object", "properties": {MARKER: {"type": MARKER}}}},
            {"name": "twice", "inputSchema": {"type": "object", "$ref": format!("#/{MARKER}")}},
        ]}),
        _ if message["params"]["arguments"]["how"] == "protocol" => {
            let error = json!({"code": -32000, "message": MARKER, "data": MARKER});
            return axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "error": error})).into_response();
        }
        _ => json!({"content": [{"type": "text", "text": MARKER}], "isError": true}),
    };
    axum::Json(json!({"jsonrpc": "2.0", "id": message["id"], "result": result})).into_response()
}

/// A host whose database, tools and servers say the marker wherever they can.
async fn app(server: &str, model: &ScriptedModel) -> App {
    let settings = vec![
        ("http_allow_private", server.to_owned()),
        ("model_base_url", model.url.clone()),
        ("model_api_key", "a-key".to_owned()),
        ("model_default", "openai/scripted".to_owned()),
    ];
    let database = TestDatabase::create().await;
    let tables = format!(
        "insert into notes (owner_id, title, body) values ('{ALICE}', 'a title', '{MARKER}');
         create table public.late (id int);
         grant all on public.late to authenticated;
         create function public.refuse_late() returns trigger language plpgsql as
             $$ begin raise exception '{MARKER}' using hint = '{MARKER}', detail = '{MARKER}'; end $$;
         create constraint trigger late after insert on public.late deferrable initially deferred
             for each row execute function public.refuse_late()"
    );
    database.execute(&tables).await;
    let app = App::on(database, Options { settings }).await;
    app.install(guests::PROBE, &write_grants()).await;
    app.install(guests::HOSTILE, &json!({})).await;
    let schema = json!({"type": "object", "properties": {"age": {"type": "integer"}}});
    assert_eq!(app.upload_bytes(components::tool("person", &schema), &json!({}), "").await.status, 201);
    let custom = json!({
        "name": "custom", "description": "x", "type": "http", "input_schema": {"type": "object"},
        "config": {"endpoint": format!("http://{server}/tool")},
    });
    assert_eq!(app.post(&User::Service, "/api/tools", custom).await.status, 201);
    app
}

/// What the service role reads of a call.
async fn texts(app: &App, call: &Value) -> Value {
    let path = format!("/api/tool-calls/{}/texts", call.as_str().unwrap());
    let answer = app.get(&User::Service, &path).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

async fn newest_call(app: &App) -> Value {
    app.audit().await[0]["call_id"].clone()
}

/// Calls whose texts their caller is told, or which only log; the service role reads each.
async fn call_tools(app: &App) {
    let values = json!({"query": "select body::int from notes where title = 'a title'"});
    let late = json!({"sql": "insert into late values (1)", "mode": "execute"});
    let calls = [
        ("database_query", values, "failure", true),
        ("sql", late, "failure", true),
        ("person", json!({"age": MARKER}), "faults", true),
        ("custom", json!({}), "failure", true),
        ("print", json!({"stdout": MARKER, "stderr": MARKER}), "log", false),
        ("panic", json!({"message": MARKER}), "log", false),
    ];
    for (tool, arguments, place, is_told) in calls {
        let answer: Answer = app.call(&User::Is(ALICE), tool, arguments).await;
        assert!(!is_told || answer.status >= 400 && answer.text.contains(MARKER), "{tool}: {}", answer.text);
        let kept = texts(app, &newest_call(app).await).await;
        assert!(kept[place].to_string().contains(MARKER), "{tool}: {kept}");
    }
    // A code that is a text.
    assert_eq!(app.call(&User::Is(ALICE), "strange_error", json!({"code": MARKER})).await.status, 422);
}

/// An MCP server's errors, names and schemas. Returns the agent that has the server.
async fn run_with_server(app: &App, server: &str, model: &ScriptedModel) -> String {
    let agent = app.agent(&[]).await;
    let body = json!({"name": "crm", "url": format!("http://{server}/mcp")});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/mcp-servers"), body).await.status, 201);
    let run = app.post(&User::Is(ALICE), &format!("/api/agents/{agent}/run"), json!({"message": MARKER})).await;
    assert_eq!(run.status, 200, "{}", run.text);
    assert!(json!(model.requests()).to_string().contains(MARKER), "the model reads what failed");
    let rows = app.audit().await;
    let rows: Vec<_> = rows.iter().filter(|row| row["tool"] == "mcp__crm__balance").collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    for row in rows {
        let kept = texts(app, &row["call_id"]).await;
        assert!(kept["failure"].as_str().unwrap().contains(MARKER), "{kept}");
    }
    agent
}

/// A model that fails, on a host of its own.
async fn run_with_failing_model(app: &App, server: &str, agent: &str) {
    let settings = [
        ("model_base_url", format!("http://{server}/v1")),
        ("model_api_key", "a-key".to_owned()),
        ("model_default", "openai/scripted".to_owned()),
    ];
    let other = App::on(app.database.clone(), Options { settings: settings.to_vec() }).await;
    let failed = other.post(&User::Is(ALICE), &format!("/api/agents/{agent}/run"), json!({"message": MARKER})).await;
    assert_eq!(failed.status, 500, "{}", failed.text);
    other.stop().await;
}

/// Requests that are refused for what they say.
async fn send_what_is_refused(app: &App, agent: &str) {
    for (method, path, body) in [
        (Method::POST, format!("/api/tools/{MARKER}/call"), json!({})),
        (Method::POST, "/api/tools/echo/call".to_owned(), json!({ "arguments": {MARKER: MARKER}, MARKER: 1 })),
        (Method::POST, "/api/delegations".to_owned(), json!({ "agent_id": MARKER })),
        (Method::POST, format!("/api/agents/{agent}/run"), json!({ "message": 1, "session_id": [MARKER] })),
        (Method::POST, "/v1/chat/completions".to_owned(), json!({ "model": MARKER, "messages": MARKER })),
        (Method::GET, format!("/api/tool-calls?limit={MARKER}"), json!({})),
        (Method::from_bytes(MARKER.as_bytes()).unwrap(), "/api/tools".to_owned(), json!({})),
    ] {
        let status = app.send(&User::Is(ALICE), method, &path, body).await.status;
        assert!((400..500).contains(&status) || path.contains("echo"), "{path}: {status}");
    }
    let grants = json!({ "database": {MARKER: MARKER} });
    let upload = app.upload_bytes(components::tool("x", &json!({})), &grants, "").await;
    assert_eq!(upload.status, 400, "{}", upload.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_wrote_stands_in_the_record_of_the_call_and_in_no_log() {
    let log = LogLines::take();
    let server = server().await;
    let how = |how: &str| vec![("mcp__crm__balance", json!({ "how": how }))];
    let turns = [Turn::Call(how("tool")), Turn::Call(how("protocol")), Turn::Say("So it is.")];
    let model = ScriptedModel::start(turns).await;
    let app = app(&server, &model).await;
    call_tools(&app).await;
    let agent = run_with_server(&app, &server, &model).await;
    run_with_failing_model(&app, &server, &agent).await;
    send_what_is_refused(&app, &agent).await;

    let audit = app.get(&User::Service, "/api/tool-calls?limit=200").await.text;
    let events = app.get(&User::Service, "/api/audit-events?limit=200").await.text;
    app.stop().await;
    let log = log.text();
    for (what, text) in [("the audit log", &audit), ("the audit events", &events), ("the log", &log)] {
        let line = text.lines().find(|line| line.to_uppercase().contains(MARKER));
        assert!(line.is_none(), "{what}: {}", line.unwrap());
    }
    // What an operator needs is there.
    for kept in ["/age", "http_status", "mcp_tool_error", "a tool call failed"] {
        assert!(log.contains(kept) || audit.contains(kept), "{kept}:\n{log}");
    }
    assert!(audit.contains("22P02"), "{audit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_a_call_is_for_the_service_role_and_ends() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    assert_eq!(app.call(&User::Is(ALICE), "print", json!({"stdout": MARKER})).await.status, 200);
    let call = newest_call(&app).await;
    let path = format!("/api/tool-calls/{}/texts", call.as_str().unwrap());
    assert!(texts(&app, &call).await["log"][0]["message"].as_str().unwrap().contains(MARKER));
    for user in [User::Anon, User::Is(ALICE), User::ServiceFor(ALICE)] {
        assert_eq!(app.get(&user, &path).await.status, 403, "{user:?}");
    }
    let readers = "select count(*) from unnest(array['anon', 'authenticated']) role
        where has_table_privilege(role, 'ai.tool_call_texts', 'select, insert, update, delete')";
    assert_eq!(app.database.value::<i64>(readers).await, 0);
    // A call without texts has no record.
    assert_eq!(app.call(&User::Is(ALICE), "identity", json!({})).await.status, 200);
    let silent = newest_call(&app).await;
    let answer = app.get(&User::Service, &format!("/api/tool-calls/{}/texts", silent.as_str().unwrap())).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    // Young records stay, old ones end; the audit row stays.
    let log = app.state.caller_db.audit();
    log.prune_texts(7).await.unwrap();
    texts(&app, &call).await;
    app.database.execute("update ai.tool_call_texts set kept_at = kept_at - interval '8 days'").await;
    log.prune_texts(7).await.unwrap();
    assert_eq!(app.get(&User::Service, &path).await.status, 404);
    assert!(app.audit().await.iter().any(|row| row["call_id"] == call));
}

/// Where a statement failed and what to change is for its author and the operator. The caller and the tool hear what they could act on.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_is_in_the_record_with_its_place_and_in_no_answer_and_no_log() {
    let log = LogLines::take();
    let app = App::start().await;
    let grant = json!({"access": "read", "schemas": ["public"], "tables": ["public.notes"]});
    app.install(guests::PROBE, &json!({ "database": grant })).await;
    let ask = async |arguments: Value| {
        let answer = app.call(&User::Is(ALICE), "sql", arguments.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        for kept in ["Perhaps you meant", "plugin.toml"] {
            assert!(!answer.text.contains(kept), "{arguments}: {}", answer.text);
        }
        let kept = texts(&app, &answer.json["call_id"]).await["failed_statements"].clone();
        assert_eq!(kept.as_array().map(Vec::len), Some(1), "{arguments}: {kept}");
        kept[0].clone()
    };
    let misspelt = ask(json!({"sql": "select id,\n  titel from notes"})).await;
    assert_eq!((&misspelt["code"], &misspelt["sqlstate"]), (&json!("invalid"), &json!("42703")));
    assert_eq!((&misspelt["line"], &misspelt["column"]), (&json!(2), &json!(3)));
    assert_eq!(misspelt["statement"], "select id,\n  titel from notes");
    assert!(misspelt["hint"].as_str().is_some_and(|hint| hint.contains("notes.title")), "{misspelt}");
    let few = ask(json!({"sql": "select $1::int + $2::int", "params": [1]})).await;
    assert!(
        few["message"].as_str().is_some_and(|text| text.contains("2 parameters") && text.contains("1 was")),
        "{few}"
    );
    let fix = async |arguments: Value| ask(arguments).await["fix"].clone();
    assert_eq!(
        fix(json!({"sql": "select 1 from budgets"})).await,
        "in plugin.toml, [grants.database]: tables = [\"public.notes\", \"public.budgets\"]"
    );
    let write = json!({"sql": "delete from notes", "mode": "execute"});
    assert_eq!(fix(write).await, "in plugin.toml, [grants.database]: access = \"write\"");
    assert_eq!(fix(json!({"sql": "select 1 from nothing_of_this_name"})).await, Value::Null);
    app.stop().await;
    let log = log.text();
    for kept in ["titel", "Perhaps you meant", "plugin.toml"] {
        assert!(!log.contains(kept), "{log}");
    }
}
