//! A statement that was given up takes its connection until the server has really ended it. Its caller is held to a bound,
//! and the operator is told.

use std::time::Duration;

use behalf_caller_db::doctor::examine;
use behalf_host_db::LoginNames;
use behalf_telemetry::{Finding, Level};
use behalf_tests::slow::{DEAF, NAP, STUCK, timed_grants};
use behalf_tests::{ALICE, App, BOB, Options, TestDatabase, User, eventually, guests};
use reqwest::Method;
use serde_json::json;

const ALL_MAY: u64 = 120_000;

/// A host whose probe has half a second, on four connections: one caller may have one statement that does not end.
async fn host(database: TestDatabase, timeout_ms: u64) -> App {
    let settings = vec![("tool_connections", "4".to_owned()), ("max_wait_seconds", "1".to_owned())];
    let app = App::on(database, Options { settings }).await;
    app.install(guests::PROBE, &timed_grants(timeout_ms)).await;
    app
}

fn in_use_and_ending(app: &App) -> (usize, usize) {
    let connections = app.state.caller_db.tool_connections();
    (connections.in_use, connections.ending)
}

async fn metric(app: &App, name: &str) -> String {
    let text = app.get(&User::Nobody, "/metrics").await.text;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::to_owned);
    line.unwrap_or_else(|| panic!("{name} is not in {text}"))
}

async fn finding(address: &str) -> Finding {
    let findings = examine(address, None, &super::scope(&LoginNames::default())).await;
    findings.into_iter().find(|finding| finding.check == "ending-statements").expect("the check is made")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_outlasts_its_deadline_takes_its_connection_until_the_server_has_ended_it() {
    let database = TestDatabase::create().await;
    let stuck = database.add_stuck().await;
    let app = host(database, 500).await;
    let answer = app.sql(&User::Is(ALICE), STUCK).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (408, Some("deadline")), "{}", answer.text);
    // Through the cancel request and the order to the process to end itself.
    eventually("doctor finds the process", async || finding(&app.database.owner_url()).await.level == Level::Warning)
        .await;
    assert_eq!(in_use_and_ending(&app), (1, 1));
    assert_eq!(metric(&app, "behalf_tool_connections_in_use").await, "1");
    assert_eq!(metric(&app, "behalf_tool_connections_ending").await, "1");
    let pid: i32 = app.database.value("select pid from behalf.tool_backends()").await;
    for address in [app.database.owner_url(), app.database.host_url()] {
        let found = finding(&address).await;
        assert_eq!(found.level, Level::Warning, "{found:?}");
        assert!(found.found.contains(&format!("process {pid} of behalf_tool_authenticated")), "{found:?}");
        assert!(found.found.contains(" s ago") && found.found.contains("it is "), "{found:?}");
        assert!(found.fix.is_some_and(|fix| fix.contains("ai.tool_calls")));
    }
    stuck.release();
    app.settled().await;
    assert_eq!(in_use_and_ending(&app), (0, 0));
    assert_eq!(metric(&app, "behalf_tool_connections_ending").await, "0");
    assert_eq!(finding(&app.database.owner_url()).await.level, Level::Ok);
    eventually("its note is gone", async || {
        app.database.value::<i64>("select count(*) from behalf.ending_backends").await == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_statements_do_not_end_gets_no_more_connections_and_others_do() {
    let database = TestDatabase::create().await;
    let stuck = database.add_stuck().await;
    let app = host(database, 500).await;
    assert_eq!(app.sql(&User::Is(ALICE), STUCK).await.status, 408);
    let mut refused = None;
    eventually("Alice is refused", async || {
        let request = app.request(&User::Is(ALICE), Method::POST, "/api/tools/sql/call");
        let answer = request.json(&json!({ "arguments": { "sql": "select 1" } })).send().await.unwrap();
        refused = (answer.status() == 503).then_some(answer);
        refused.is_some()
    })
    .await;
    let answer = refused.unwrap();
    let wait = answer.headers().get("retry-after").cloned();
    let answer = behalf_tests::Answer::of(answer).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("busy")), "{}", answer.text);
    assert!(wait.is_some_and(|wait| wait == "1"), "{}", answer.text);
    assert_eq!(app.audit_of(&answer).await["blame"], "host");
    // It is her bound: others have connections, and she has tools that need none.
    assert_eq!(app.sql(&User::Is(BOB), "select 1 as one").await.result()["rows"], json!([[1]]));
    assert_eq!(app.call(&User::Is(ALICE), "clock", json!({})).await.status, 200);
    assert_eq!(in_use_and_ending(&app), (1, 1));
    stuck.release();
    app.settled().await;
    assert_eq!(app.sql(&User::Is(ALICE), "select 1 as one").await.result()["rows"], json!([[1]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_dropped_takes_its_connection_until_the_server_has_ended_its_statement() {
    let database = TestDatabase::create().await;
    database.add_naps().await;
    let stuck = database.add_stuck().await;
    let app = host(database, ALL_MAY).await;
    for (sql, goes_on) in [(NAP, false), (STUCK, true)] {
        let request = app.request(&User::Is(ALICE), Method::POST, "/api/tools/sql/call");
        let call = tokio::spawn(request.json(&json!({ "arguments": { "sql": sql } })).send());
        eventually("the statement runs", async || in_use_and_ending(&app) == (1, 0)).await;
        // The connection is taken a little before the statement is sent.
        tokio::time::sleep(Duration::from_millis(200)).await;
        call.abort();
        if goes_on {
            eventually("the process is noted", async || {
                app.database.value::<i64>("select count(*) from behalf.ending_backends").await == 1
            })
            .await;
            assert_eq!(in_use_and_ending(&app), (1, 1), "{sql}");
            stuck.release();
        }
        app.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_ignores_its_cancellation_is_ended_with_its_process() {
    let database = TestDatabase::create().await;
    database.add_naps().await;
    let app = host(database, 500).await;
    let answer = app.sql(&User::Is(ALICE), DEAF).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (408, Some("deadline")), "{}", answer.text);
    app.settled().await;
    let left: i64 = app.database.value("select count(*) from behalf.tool_backends()").await;
    assert_eq!(left, 0, "the process is gone");
    assert_eq!(app.sql(&User::Is(ALICE), "select 1 as one").await.result()["rows"], json!([[1]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_statement_was_cancelled_serves_the_next_caller() {
    let database = TestDatabase::create().await;
    database.add_naps().await;
    let app = host(database, 500).await;
    let backends = async || {
        let all = "select array_agg(pid || ' ' || backend_start::text) from behalf.tool_backends()";
        app.database.value::<Vec<String>>(all).await
    };
    assert_eq!(app.sql(&User::Is(ALICE), "select 1 as one").await.result()["rows"], json!([[1]]));
    let before = backends().await;
    assert_eq!(before.len(), 1, "{before:?}");
    for turn in 0..3 {
        assert_eq!(app.sql(&User::Is(ALICE), NAP).await.status, 408, "turn {turn}");
        app.settled().await;
        // What Alice had in her transaction is gone, and what the session prepared can be used.
        let owner = app.sql(&User::Is(BOB), "select auth.uid() as me").await;
        assert_eq!(owner.result()["rows"], json!([[BOB]]), "turn {turn}");
    }
    assert_eq!(backends().await, before);
}
