//! Traces over OTLP: a client's trace goes on through a request, its run, the model and the tools, to a server that a tool calls, and
//! holds no text of anybody.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::extract::{Request, State};
use behalf_tests::{ALICE, App, HostProcess, Options, ScriptedModel, TestDatabase, Turn, User};
use reqwest::Method;
use serde_json::{Value, json};

/// Stands in the prompt, the arguments and the answers.
const MARKER: &str = "ZEBRA-5521";

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

type Seen = Arc<Mutex<Vec<(Value, Option<String>)>>>;

/// A server that keeps what it gets: the body, and `traceparent`.
async fn server() -> (String, Seen) {
    async fn keep(State(seen): State<Seen>, request: Request) -> axum::Json<Value> {
        let parent = request.headers().get("traceparent").map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(request.into_body(), 1 << 22).await.unwrap();
        seen.lock().unwrap().push((serde_json::from_slice(&body).unwrap_or_default(), parent));
        axum::Json(json!({ "said": MARKER }))
    }
    let seen = Seen::default();
    let router = axum::Router::new().fallback(keep).with_state(Arc::clone(&seen));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (host, seen)
}

/// The spans that a collector got.
fn spans(seen: &Seen) -> Vec<Value> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let sent: Vec<Value> = seen.lock().unwrap().iter().map(|(body, _)| body.clone()).collect();
    let scopes = sent.iter().flat_map(|body| list(body, "resourceSpans")).flat_map(move |one| list(&one, "scopeSpans"));
    scopes.flat_map(move |scope| list(&scope, "spans")).collect()
}

/// An attribute's value.
fn attribute(span: &Value, name: &str) -> Value {
    let attributes = span["attributes"].as_array().cloned().unwrap_or_default();
    let found = attributes.into_iter().find(|one| one["key"] == name).unwrap_or_default();
    found["value"].as_object().and_then(|value| value.values().next().cloned()).unwrap_or_default()
}

/// The attributes of generative AI.
async fn say_what_was_done(
    database: &TestDatabase,
    (of_run, agent, run): (&Value, &str, &Value),
    chats: &[&Value],
    query: &Value,
) {
    assert_eq!(attribute(of_run, "gen_ai.agent.id"), agent);
    assert_eq!(attribute(of_run, "behalf.run.id"), run["run_id"]);
    assert_eq!(attribute(chats[0], "gen_ai.request.model"), "openai/scripted");
    assert!(!attribute(chats[1], "gen_ai.usage.output_tokens").is_null(), "{:#?}", chats[1]);
    let digest = "select encode(p.digest, 'hex') from ai.plugins p join ai.plugin_tools t on t.plugin_id = p.id where t.name = 'database_query'";
    assert_eq!(attribute(query, "behalf.plugin.digest"), database.value::<String>(digest).await.as_str());
}

/// An agent with a tool for SQL and one that calls a server.
async fn agent(app: &App, backend: &str) -> String {
    let agent = app.agent(&["database_query"]).await;
    let tool = json!({
        "name": "balance", "description": "Says a balance.", "type": "http", "input_schema": {"type": "object"},
        "config": { "endpoint": format!("http://{backend}/balance") },
    });
    assert_eq!(app.post(&User::Service, "/api/tools", tool).await.status, 201);
    let assigned = json!({ "tool_name": "balance" });
    let assigned = app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assigned).await;
    assert_eq!(assigned.status, 201, "{}", assigned.text);
    agent
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_trace_goes_on_to_whoever_a_tool_calls() {
    let (collector, sent) = server().await;
    let (backend, asked) = server().await;
    let model = ScriptedModel::start([
        Turn::Call(vec![("balance", json!({ "account": MARKER })), ("database_query", json!({ "query": "select 1" }))]),
        Turn::Say(MARKER),
    ])
    .await;
    let database = TestDatabase::create().await;
    let app = App::on(database.clone(), Options { settings: vec![("http_allow_private", backend.clone())] }).await;
    let agent = agent(&app, &backend).await;
    let mut settings: Vec<(&str, String)> = model.settings();
    settings.extend([
        ("http_allow_private", backend.clone()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}")),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=tests".to_owned()),
    ]);
    let mut host = HostProcess::start(&database, &settings).await;
    let run = host.request(&User::Is(ALICE), Method::POST, &format!("/api/agents/{agent}/run"));
    let run = run.header("traceparent", format!("00-{TRACE}-{PARENT}-01")).json(&json!({ "message": MARKER }));
    let run: Value = run.send().await.unwrap().json().await.unwrap();
    assert_eq!(run["content"], MARKER, "{run}");
    // What was not sent yet is sent at the end.
    host.terminate();

    let all = spans(&sent);
    let of_trace: Vec<_> = all.iter().filter(|span| span["traceId"] == TRACE).collect();
    let named = |name: &str| -> Vec<&Value> { of_trace.iter().copied().filter(|span| span["name"] == name).collect() };
    let (request, runs, chats, calls) =
        (named("POST /api/agents/{agent}/run"), named("invoke_agent"), named("chat"), named("execute_tool"));
    assert_eq!((request.len(), runs.len(), chats.len(), calls.len()), (1, 1, 2, 2), "{all:#?}");
    assert_eq!(request[0]["parentSpanId"], PARENT);
    assert_eq!(runs[0]["parentSpanId"], request[0]["spanId"]);
    for below in chats.iter().chain(&calls) {
        assert_eq!(below["parentSpanId"], runs[0]["spanId"], "{below:#?}");
    }
    let of_tool = |name: &str| calls.iter().copied().find(|call| attribute(call, "gen_ai.tool.name") == name).unwrap();
    let (query, balance) = (of_tool("database_query"), of_tool("balance"));
    let user = json!(ALICE.to_string());
    for span in [request[0], runs[0], query, balance] {
        assert_eq!(attribute(span, "enduser.id"), user, "{span:#?}");
    }
    say_what_was_done(&database, (runs[0], &agent, &run), &chats, query).await;
    // The servers that were called know the spans that called them.
    let known = |spans: &[&Value]| -> BTreeSet<_> {
        spans.iter().map(|span| Some(format!("00-{TRACE}-{}-01", span["spanId"].as_str().unwrap()))).collect()
    };
    let parents: BTreeSet<_> = asked.lock().unwrap().iter().map(|(_, parent)| parent.clone()).collect();
    assert_eq!(parents, known(&[balance]));
    assert_eq!(model.traces().into_iter().collect::<BTreeSet<_>>(), known(&chats));
    let text =
        serde_json::to_string(&sent.lock().unwrap().iter().map(|(body, _)| body.clone()).collect::<Vec<_>>()).unwrap();
    assert!(!text.contains(MARKER), "a text is in a trace");
    assert!(text.contains("deployment.environment.name") && text.contains("\"behalf\""), "the resource is not named");
}
