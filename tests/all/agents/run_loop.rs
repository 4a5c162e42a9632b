//! The run loop: approvals, fallback models, token budgets, rules, and agents that call agents.

use std::time::Duration;

use behalf_tests::sse::{Event, read_events};
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User, eventually, guests, write_grants};
use reqwest::Method;
use serde_json::{Value, json};

async fn with_model(model: &ScriptedModel) -> App {
    App::with(Options { settings: model.settings() }).await
}

async fn stream(app: &App, user: &User, agent: &str) -> Vec<Event> {
    let request = app.request(user, Method::POST, &format!("/api/agents/{agent}/run/stream"));
    read_events(request.json(&json!({"message": "go"})).send().await.unwrap()).await
}

fn find<'a>(events: &'a [Event], name: &str) -> Option<&'a Value> {
    events.iter().find(|event| event.name() == name).map(|event| &event.data)
}

async fn change(app: &App, agent: &str, settings: Value) {
    let path = format!("/api/agents/{agent}");
    let changed = app.send(&User::Service, Method::PATCH, &path, json!({ "settings": settings })).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_denied_or_forgotten_is_not_made() {
    let write = || {
        Turn::Call(vec![(
            "sql",
            json!({"sql": format!("insert into notes (owner_id, title) values ('{ALICE}', 'no')")}),
        )])
    };
    let model = ScriptedModel::start([write(), Turn::Say("As you wish."), write(), Turn::Say("Too late.")]).await;
    let app = with_model(&model).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&[]).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "writes"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    let bad = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "sometimes"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), bad).await.status, 400);

    let (alice, seen) = (User::Is(ALICE), stream(&app, &User::Is(ALICE), &agent));
    let deny = async {
        let run = app.run_that_asks(&alice, "sql").await;
        app.decide(&alice, &run, json!({"approved": false, "reason": "not today"})).await;
    };
    let (events, ()) = tokio::join!(seen, deny);
    assert!(find(&events, "tool_result").unwrap()["result"].as_str().unwrap().contains("not today"));
    assert_eq!(find(&events, "complete").unwrap()["content"], "As you wish.");

    change(&app, &agent, json!({"approval_timeout_seconds": 1, "timeout_seconds": 1})).await;
    let events = stream(&app, &alice, &agent).await;
    assert_eq!(find(&events, "approval_resolved").unwrap()["status"], "expired");
    assert_eq!(
        find(&events, "complete").unwrap()["status"],
        "completed",
        "waiting for a person is not the run's own time"
    );
    let count: i64 = app.database.value("select count(*) from notes where title = 'no'").await;
    assert_eq!(count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_model_goes_on_where_the_first_one_fails() {
    let turns = [
        Turn::Refuse(400),
        Turn::Call(vec![("echo", json!({"text": "hi"}))]),
        Turn::Say("The other one."),
        Turn::BreakOff("Half an ans"),
        Turn::Say("A whole answer."),
        Turn::Refuse(400),
        Turn::Refuse(400),
    ];
    let model = ScriptedModel::start(turns).await;
    let app = with_model(&model).await;
    let agent = app.agent(&["echo"]).await;
    change(&app, &agent, json!({"fallback_model": "openai/second"})).await;
    let events = stream(&app, &User::Is(ALICE), &agent).await;
    let fallback = find(&events, "model_fallback").unwrap();
    assert_eq!((&fallback["from"], &fallback["to"]), (&json!("openai/scripted"), &json!("openai/second")));
    assert_eq!(find(&events, "complete").unwrap()["content"], "The other one.");
    let asked: Vec<_> = model.requests().iter().map(|request| request["model"].as_str().unwrap().to_owned()).collect();
    assert_eq!(asked, ["scripted", "second", "second"], "the other one goes on");

    let events = stream(&app, &User::Is(ALICE), &agent).await;
    assert!(find(&events, "step_reset").is_some());
    assert_eq!(find(&events, "complete").unwrap()["content"], "A whole answer.", "nothing of the half is left");

    let events = stream(&app, &User::Is(ALICE), &agent).await;
    assert_eq!(find(&events, "complete").unwrap()["status"], "failed");
    let bad = json!({"settings": {"fallback_model": "mystery/m"}});
    assert_eq!(app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), bad).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_when_its_tokens_do() {
    let call = |text: &str| Turn::Call(vec![("echo", json!({ "text": text }))]);
    let model = ScriptedModel::start([call("a"), call("b"), call("c"), Turn::Say("Never reached.")]).await;
    let app = with_model(&model).await;
    let agent = app.agent(&["echo"]).await;
    // Each turn of the scripted model reports 18 tokens.
    change(&app, &agent, json!({"max_total_tokens": 36})).await;
    let events = stream(&app, &User::Is(ALICE), &agent).await;
    let complete = find(&events, "complete").unwrap();
    assert_eq!(complete["status"], "failed");
    assert!(complete["error"].as_str().unwrap().contains("36 tokens"), "{complete}");
    assert_eq!(model.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_forbids_calls_by_rule() {
    let model = ScriptedModel::start([
        Turn::Call(vec![("database_query", json!({"query": "SELECT * FROM expenses"}))]),
        Turn::Call(vec![("database_query", json!({"query": "select title from notes"}))]),
        Turn::Say("ok"),
    ])
    .await;
    let app = with_model(&model).await;
    let agent = app.agent(&[]).await;
    let path = format!("/api/agents/{agent}/tools");
    let assign = async |rules: Value| {
        let body = json!({"tool_type": "builtin", "tool_name": "database_query", "config_override": {"rules": rules}});
        app.post(&User::Service, &path, body).await.status
    };
    assert_eq!(assign(json!(["query LIKE expenses"])).await, 400);
    assert_eq!(assign(json!(["query CONTAINS expenses"])).await, 201);
    let events = stream(&app, &User::Is(ALICE), &agent).await;
    let results: Vec<_> =
        events.iter().filter(|event| event.name() == "tool_result").map(|event| &event.data).collect();
    assert!(results[0]["result"].as_str().unwrap().contains("forbids this call"), "{results:?}");
    assert!(
        results[1]["result"].as_str().unwrap().contains("tomatoes") || results[1]["result_meta"]["is_error"] == false
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_asks_another_as_the_same_caller() {
    let query = json!({"query": "select title, body from notes"});
    let model = ScriptedModel::start([
        Turn::Call(vec![("librarian", json!({"message": "What notes are there?"}))]),
        Turn::Call(vec![("database_query", query)]),
        Turn::Say("The notes are these."),
        Turn::Say("The librarian answered."),
    ])
    .await;
    let app = with_model(&model).await;
    let librarian = app.agent(&["database_query"]).await;
    let desk = app.agent(&[]).await;
    let body = json!({"tool_type": "agent", "tool_name": "librarian", "tool_id": librarian});
    let assigned = app.post(&User::Service, &format!("/api/agents/{desk}/tools"), body.clone()).await;
    assert_eq!(assigned.status, 201, "{}", assigned.text);
    let own = app.post(&User::Service, &format!("/api/agents/{librarian}/tools"), body).await;
    assert_eq!(own.status, 400, "an agent does not ask itself");
    let events = stream(&app, &User::Is(ALICE), &desk).await;
    assert_eq!(find(&events, "complete").unwrap()["content"], "The librarian answered.", "{events:?}");
    let child = find(&events, "delegation_started").unwrap()["run_id"].as_str().unwrap().to_owned();
    assert_eq!(find(&events, "delegation_completed").unwrap()["status"], "completed");
    let run = app.get(&User::Is(ALICE), &format!("/api/agents/runs/{child}")).await;
    assert_eq!((run.status, run.json["user_id"].as_str()), (200, Some(ALICE.to_string().as_str())), "{}", run.text);
    assert_eq!(run.json["parent_run_id"], find(&events, "start").unwrap()["run_id"]);
    let told = json!(model.requests()[2]).to_string();
    assert!(told.contains("tomatoes") && !told.contains("brakes"), "the other agent's tools see alice's rows: {told}");
    assert_eq!(app.get(&User::Is(BOB), &format!("/api/agents/runs/{child}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_that_ask_each_other_in_a_circle_come_to_an_end() {
    let ask = |name: &'static str| Turn::Call(vec![(name, json!({"message": "and you?"}))]);
    let turns = [
        ask("two"),
        ask("one"),
        ask("two"),
        ask("one"),
        Turn::Say("d"),
        Turn::Say("c"),
        Turn::Say("b"),
        Turn::Say("a"),
    ];
    let model = ScriptedModel::start(turns).await;
    let app = with_model(&model).await;
    let (one, two) = (app.agent(&[]).await, app.agent(&[]).await);
    for (agent, name, callee) in [(&one, "two", &two), (&two, "one", &one)] {
        let body = json!({"tool_type": "agent", "tool_name": name, "tool_id": callee});
        assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), body).await.status, 201);
    }
    let events = stream(&app, &User::Is(ALICE), &one).await;
    assert_eq!(find(&events, "complete").unwrap()["content"], "a", "{events:?}");
    let runs: i64 = app.database.value("select count(*) from ai.agent_runs").await;
    assert_eq!(runs, 4, "the fourth may ask nobody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_take_its_run_with_it() {
    let model = ScriptedModel::start([Turn::Wait(Duration::from_mins(1), "never")]).await;
    let app = with_model(&model).await;
    let agent = app.agent(&[]).await;
    let path = format!("/api/agents/{agent}/run/stream?on_disconnect=cancel");
    let request = app.request(&User::Is(ALICE), Method::POST, &path).json(&json!({"message": "go"}));
    let mut response = request.send().await.unwrap();
    response.chunk().await.unwrap().unwrap();
    drop(response);
    eventually("the run is cancelled", async || {
        app.database.value::<String>("select status from ai.agent_runs").await == "cancelled"
    })
    .await;
    let odd = format!("/api/agents/{agent}/run/stream?on_disconnect=explode");
    assert_eq!(app.post(&User::Is(ALICE), &odd, json!({"message": "go"})).await.status, 400);
}
