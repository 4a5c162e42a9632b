//! Calls that wait for somebody: what has ended meanwhile, and what that means for them.

use std::time::Duration;

use behalf_identity::{TokenRequest, mint_token};
use behalf_tests::{ALICE, Answer, App, Options, SECRET, ScriptedModel, Turn, User, eventually, guests, write_grants};
use reqwest::Method;
use serde_json::{Value, json};

const NOTED: &str = "select count(*) from notes where title = 'approved'";

/// An agent with two tools, of which one asks; its model calls both, one after the other.
async fn app() -> (App, String) {
    let insert = format!("insert into notes (owner_id, title, body) values ('{ALICE}', 'approved', 'x')");
    let turns = [
        Turn::Call(vec![("sql", json!({ "sql": insert }))]),
        Turn::Call(vec![("database_query", json!({ "query": "select 1" }))]),
        Turn::Say("Done."),
    ];
    let model = ScriptedModel::start(turns).await;
    let mut settings = model.settings();
    settings.push(("jwt_clock_skew_seconds", "0".to_owned()));
    let app = App::with(Options { settings }).await;
    app.install(guests::PROBE, &write_grants()).await;
    let agent = app.agent(&["database_query"]).await;
    let assign = json!({"tool_type": "wasm", "tool_name": "sql", "approval": "always"});
    assert_eq!(app.post(&User::Service, &format!("/api/agents/{agent}/tools"), assign).await.status, 201);
    (app, agent)
}

async fn ask(app: &App, user: &User, agent: &str) -> Answer {
    app.post(user, &format!("/api/agents/{agent}/run"), json!({"message": "note it"})).await
}

/// Waits until a run asks Alice, then does something, then approves as Alice.
async fn approve_after(app: &App, meanwhile: impl AsyncFnOnce()) {
    let alice = User::Is(ALICE);
    let run = app.run_that_asks(&alice, "sql").await;
    meanwhile().await;
    app.decide(&alice, &run, json!({"approved": true})).await;
}

/// The outcomes of a run's calls, and what the last one answered.
fn calls(run: &Answer) -> (Vec<&str>, String) {
    let calls = run.json["tool_calls"].as_array().unwrap_or_else(|| panic!("{}", run.text));
    let last = calls.last().map_or(String::new(), |call| call["result"].to_string());
    (calls.iter().map(|call| call["status"].as_str().unwrap()).collect(), last)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_approved_after_the_runs_token_ended_is_made_and_no_other() {
    let (app, agent) = app().await;
    let mut request = TokenRequest::for_user(&ALICE.to_string());
    request.ttl_seconds = 3;
    let short = User::Token(mint_token(SECRET, &request).unwrap());
    let ended = async || tokio::time::sleep(Duration::from_secs(4)).await;
    let (run, ()) = tokio::join!(ask(&app, &short, &agent), approve_after(&app, ended));
    let (outcomes, last) = calls(&run);
    assert_eq!(outcomes, ["success", "error"], "{}", run.text);
    assert!(last.contains("session has expired"), "{last}");
    assert_eq!(app.database.value::<i64>(NOTED).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_whose_delegation_is_taken_back_while_it_waits_is_not_made() {
    let (app, agent) = app().await;
    let made = app.post(&User::Is(ALICE), "/api/delegations", json!({ "agent_id": agent })).await;
    let service = User::Token(made.json["token"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned());
    let path = format!("/api/delegations/{}", made.json["id"].as_str().unwrap());
    let taken_back = async || {
        assert_eq!(app.send(&User::Is(ALICE), Method::DELETE, &path, Value::Null).await.status, 200);
    };
    let (_, ()) = tokio::join!(ask(&app, &service, &agent), approve_after(&app, taken_back));
    eventually("the run ends", async || {
        app.database.value::<i64>("select count(*) from ai.agent_runs where completed_at is null").await == 0
    })
    .await;
    assert_eq!(app.database.value::<i64>(NOTED).await, 0, "the user had taken the permission back");
}
