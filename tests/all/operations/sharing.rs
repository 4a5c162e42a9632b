//! Callers share places and connections fairly, whichever way they call, and waiting for one is nobody's fault but the
//! host's.

use std::sync::Arc;

use behalf_tests::slow::{NAP, timed_grants};
use behalf_tests::sse::read_events;
use behalf_tests::{
    ALICE, Answer, App, BOB, Options, ScriptedModel, TestDatabase, Turn, User, eventually, guests, read_grants,
};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

/// A time limit in milliseconds that no call of a test reaches.
const LONG: u64 = 120_000;

const CAROL: Uuid = Uuid::from_u128(0xca20_0000_0000_4000_8000_0000_0000_0003);

async fn host(timeout_ms: u64, settings: &[(&'static str, &str)]) -> Arc<App> {
    let database = TestDatabase::create().await;
    database.add_naps().await;
    let settings = settings.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let app = App::on(database, Options { settings }).await;
    app.install(guests::PROBE, &timed_grants(timeout_ms)).await;
    Arc::new(app)
}

/// Calls that nap in the database.
fn naps(app: &Arc<App>, user: &User, count: usize) -> Vec<JoinHandle<Answer>> {
    let nap = |_| {
        let (app, user) = (Arc::clone(app), user.clone());
        tokio::spawn(async move { app.sql(&user, NAP).await })
    };
    (0..count).map(nap).collect()
}

/// Makes a caller known for quick calls.
async fn is_known(app: &App, user: &User) {
    for _ in 0..4 {
        is_served(app, user).await;
    }
}

async fn is_served(app: &App, user: &User) {
    assert_eq!(app.sql(user, "select 2 as two").await.result()["rows"], json!([[2]]));
}

/// Waits until so many connections are taken and so many calls wait for one.
async fn connections(app: &App, in_use: usize, waiting: usize) {
    eventually(&format!("{in_use} connections are in use and {waiting} are waited for"), async || {
        let connections = app.state.caller_db.tool_connections();
        (connections.in_use, connections.waiting) == (in_use, waiting)
    })
    .await;
}

async fn end(app: &App, calls: Vec<JoinHandle<Answer>>) {
    calls.iter().for_each(JoinHandle::abort);
    app.settled().await;
}

fn none_has_ended(calls: &[JoinHandle<Answer>]) {
    assert!(!calls.iter().any(JoinHandle::is_finished), "a call ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_slow_calls_of_one_caller_leave_room_for_the_quick_one_of_another() {
    let app = host(LONG, &[("max_wait_seconds", "60")]).await;
    is_known(&app, &User::Is(BOB)).await;
    // Alice takes what is hers while Bob is there: a quarter of the 8 connections, and of the 64 places a quarter, until it shows
    // how long her calls are, and then half.
    let calls = naps(&app, &User::Is(ALICE), 64);
    connections(&app, 2, 14).await;
    is_served(&app, &User::Is(BOB)).await;
    connections(&app, 2, 30).await;
    app.running(32).await;
    for _ in 0..3 {
        is_served(&app, &User::Is(BOB)).await;
    }
    none_has_ended(&calls);
    end(&app, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_alone_has_every_connection_and_a_newcomer_gets_the_next() {
    let app = host(LONG, &[("max_wait_seconds", "60")]).await;
    let mut calls = naps(&app, &User::Is(ALICE), 8);
    connections(&app, 8, 0).await;
    calls.extend(naps(&app, &User::Is(ALICE), 20));
    connections(&app, 8, 20).await;
    let (bobs, bob) = (Arc::clone(&app), User::Is(BOB));
    let newcomer = tokio::spawn(async move { is_served(&bobs, &bob).await });
    connections(&app, 8, 21).await;
    // One of those that hold a connection goes away.
    calls.remove(0).abort();
    newcomer.await.unwrap();
    none_has_ended(&calls);
    end(&app, calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_too_long_for_a_connection_is_told_that_the_host_is_busy() {
    let app = host(LONG, &[("tool_connections", "1"), ("max_wait_seconds", "1")]).await;
    let calls = naps(&app, &User::Is(ALICE), 1);
    connections(&app, 1, 0).await;
    let request = app.request(&User::Is(BOB), Method::POST, "/api/tools/sql/call");
    let key = "once-and-then-again";
    let request = request.header("idempotency-key", key).json(&json!({ "arguments": { "sql": "select 2 as two" } }));
    let response = request.try_clone().unwrap().send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    let answer = Answer::of(response).await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!((&answer.json["code"], &answer.json["type"]), (&json!("busy"), &json!("urn:behalf:problem:busy")));
    let row = app.audit_of(&answer).await;
    assert_eq!((&row["outcome"], &row["blame"]), (&json!("busy"), &json!("host")), "{row}");
    end(&app, calls).await;
    // Nothing was done under the key, so the same request can be sent again.
    let again = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(again.result()["rows"], json!([[2]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_wrote_before_the_host_ran_out_of_connections_is_not_repeated_under_its_key() {
    let app = host(LONG, &[("tool_connections", "1"), ("max_wait_seconds", "3")]).await;
    let insert = "insert into notes (owner_id, title, body) values (auth.uid(), 'kept', '')";
    let statements = json!([
        { "mode": "execute", "sql": insert }, { "mode": "commit" }, { "sql": "select 2 as two" },
    ]);
    let request = app.request(&User::Is(BOB), Method::POST, "/api/tools/sql_many/call");
    let request =
        request.header("idempotency-key", "only-once").json(&json!({ "arguments": { "statements": statements } }));
    // Bob's insert waits for a lock until Alice is in line. After his commit the connection is hers.
    let mut owner = app.database.owner().await;
    sqlx::raw_sql("begin; lock table notes in exclusive mode").execute(&mut owner).await.unwrap();
    let bobs = tokio::spawn(request.try_clone().unwrap().send());
    connections(&app, 1, 0).await;
    let calls = naps(&app, &User::Is(ALICE), 1);
    connections(&app, 1, 1).await;
    sqlx::raw_sql("commit").execute(&mut owner).await.unwrap();
    let answer = Answer::of(bobs.await.unwrap().unwrap()).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("busy")), "{}", answer.text);
    assert!(answer.json["detail"].as_str().unwrap().contains("in the middle of the call"), "{}", answer.text);
    end(&app, calls).await;
    let again = Answer::of(request.send().await.unwrap()).await;
    assert_eq!((again.status, &again.json["call_id"]), (503, &answer.json["call_id"]), "{}", again.text);
    assert_eq!(app.database.value::<i64>("select count(*) from notes where title = 'kept'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_that_a_call_waits_is_not_its_own() {
    let app = host(2_000, &[("tool_connections", "1"), ("max_wait_seconds", "60")]).await;
    let calls = naps(&app, &User::Is(ALICE), 1);
    connections(&app, 1, 0).await;
    // Bob waits until Alice's call ends at its deadline, and then needs more than half of his own time.
    let arguments = json!({ "first": "select 1 as one", "wait_ms": 1_200, "second": "select 2 as two" });
    let answer = app.call(&User::Is(BOB), "wait_between", arguments).await;
    assert_eq!(answer.result()["second"]["rows"], json!([[2]]));
    let row = app.audit_of(&answer).await;
    assert!(row["duration_us"].as_i64().is_some_and(|time| time > 2_000_000), "longer than its limit: {row}");
    for call in calls {
        let answer = call.await.unwrap();
        assert_eq!((answer.status, answer.json["code"].as_str()), (408, Some("deadline")), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_streams_and_direct_calls_of_a_caller_share_one_line() {
    let nap = || Turn::Call(vec![("sql", json!({ "sql": NAP }))]);
    let quick = Turn::Call(vec![("sql", json!({ "sql": "select 2 as two" }))]);
    let turns = (0..5).map(|_| nap()).chain([quick, Turn::Say("Two.")]);
    let model = ScriptedModel::start(turns).await;
    let mut settings = model.settings();
    settings.extend([("concurrent_calls", "4".to_owned()), ("max_wait_seconds", "60".to_owned())]);
    let database = TestDatabase::create().await;
    database.add_naps().await;
    let app = Arc::new(App::on(database, Options { settings }).await);
    app.install(guests::PROBE, &with_timeout(read_grants())).await;
    let agent = app.agent(&["sql"]).await;
    is_known(&app, &User::Is(BOB)).await;
    let mut runs = Vec::new();
    for way in ["run", "run/stream", "run", "run/stream", "run"] {
        let path = format!("/api/agents/{agent}/{way}");
        let request = app.request(&User::Is(ALICE), Method::POST, &path).json(&json!({ "message": "go" }));
        runs.push(tokio::spawn(async move { request.send().await.unwrap().text().await }));
    }
    // Of 4 places, Alice's runs have half, whether or not somebody reads their events, and three of their calls wait.
    calls(&app, 2, 3).await;
    // A direct call of hers waits behind them.
    let direct = naps(&app, &User::Is(ALICE), 1);
    calls(&app, 2, 4).await;
    is_served(&app, &User::Is(BOB)).await;
    let path = format!("/api/agents/{agent}/run/stream");
    let request = app.request(&User::Is(BOB), Method::POST, &path).json(&json!({ "message": "go" }));
    let events = read_events(request.send().await.unwrap()).await;
    let result = events.iter().find(|event| event.name() == "tool_result").unwrap();
    assert!(result.data["result"].as_str().unwrap().contains("[[2]]"), "{result:?}");
    assert_eq!(events.iter().find(|event| event.name() == "complete").unwrap().data["content"], "Two.");
    calls(&app, 2, 4).await;
    none_has_ended(&direct);
    assert!(!runs.iter().any(JoinHandle::is_finished));
    drop((runs, direct));
}

/// Waits until so many calls run and so many wait for a place.
async fn calls(app: &App, running: usize, waiting: usize) {
    eventually(&format!("{running} calls run and {waiting} wait"), async || {
        let sandbox = app.state.tools.sandbox();
        (sandbox.running_calls(), sandbox.waiting_calls()) == (running, waiting)
    })
    .await;
}

fn with_timeout(mut grants: Value) -> Value {
    grants["limits"] = json!({ "timeout_ms": LONG });
    grants
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_comes_back_after_a_dropped_request_and_passes_those_who_left() {
    let app = host(LONG, &[("concurrent_calls", "1"), ("max_wait_seconds", "60")]).await;
    let alice = naps(&app, &User::Is(ALICE), 1);
    calls(&app, 1, 0).await;
    // Bob's request is dropped while it waits, Alice's while it runs; the place is then Carol's.
    let bob = naps(&app, &User::Is(BOB), 1);
    calls(&app, 1, 1).await;
    let (carols, carol) = (Arc::clone(&app), User::Is(CAROL));
    let carol = tokio::spawn(async move { is_served(&carols, &carol).await });
    calls(&app, 1, 2).await;
    bob.iter().for_each(JoinHandle::abort);
    calls(&app, 1, 1).await;
    alice.iter().for_each(JoinHandle::abort);
    carol.await.unwrap();
    app.settled().await;
    assert_eq!(app.state.tools.sandbox().waiting_calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_without_a_user_are_told_apart_by_their_address() {
    let app =
        host(LONG, &[("tool_connections", "4"), ("max_wait_seconds", "60"), ("trusted_proxies", "127.0.0.1")]).await;
    let from = |address: &'static str, sql: &'static str| {
        let request = app.request(&User::Anon, Method::POST, "/api/tools/sql/call");
        let request = request.header("x-forwarded-for", address).json(&json!({ "arguments": { "sql": sql } }));
        tokio::spawn(async move { Answer::of(request.send().await.unwrap()).await })
    };
    let quick = "select 2 as two";
    for _ in 0..4 {
        assert_eq!(from("203.0.113.2", quick).await.unwrap().result()["rows"], json!([[2]]));
    }
    let calls: Vec<_> = (0..6).map(|_| from("203.0.113.1", NAP)).collect();
    connections(&app, 1, 5).await;
    assert_eq!(from("203.0.113.2", quick).await.unwrap().result()["rows"], json!([[2]]));
    none_has_ended(&calls);
    end(&app, calls).await;
}
