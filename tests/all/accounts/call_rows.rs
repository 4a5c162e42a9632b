//! The rows of calls: each is stored once, whatever it is stored with, and found in the order in which the calls began.

use behalf_caller_db::CallRecord;
use behalf_tests::{ALICE, App, BOB, TestDatabase, User, components};
use serde_json::{Value, json};
use uuid::Uuid;

/// The row of a call of the tool `stored` that ended.
fn row() -> CallRecord {
    CallRecord {
        call_id: Uuid::now_v7(),
        actor: "service_role".to_owned(),
        role: "service_role",
        tool: "stored".into(),
        outcome: "ok",
        // Older ones than a year are deleted.
        started_at: std::time::SystemTime::now().into(),
        ..CallRecord::default()
    }
}

async fn stored(database: &TestDatabase) -> i64 {
    database.value("select count(*) from ai.tool_calls where tool = 'stored' and outcome = 'ok'").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_costs_no_other_whether_it_was_announced_or_not() {
    let app = App::start().await;
    let log = app.state.caller_db.audit();
    let announced = CallRecord { transaction_ids: vec!["7".to_owned()], ..row() };
    let announce = format!(
        "insert into ai.tool_calls
             (call_id, actor, role, tool, arguments_sha256, transaction_ids, started_at, outcome)
         values ('{}', 'service_role', 'service_role', 'stored', '', '{{7}}', now(), 'started')",
        announced.call_id
    );
    app.database.execute(&announce).await;
    let not_announced = CallRecord { transaction_ids: vec!["8".to_owned(), "9".to_owned()], ..row() };
    let refused = CallRecord { model_call_id: Some("a\0b".to_owned()), ..row() };
    let mut with_texts = row();
    with_texts.texts.keep_failure("it said so".into());
    for record in [row(), announced, row(), refused, not_announced, with_texts, row()] {
        log.finish(record).await;
    }
    log.flush().await;
    assert_eq!(stored(&app.database).await, 6);
    let rows: i64 = app.database.value("select count(*) from ai.tool_calls").await;
    let texts: i64 = app.database.value("select count(*) from ai.tool_call_texts").await;
    assert_eq!((rows, texts), (6, 1));
    let transactions = "select string_agg(transaction_ids::text, ' ' order by call_id) from ai.tool_calls
        where cardinality(transaction_ids) > 0";
    assert_eq!(app.database.value::<String>(transactions).await, "{7} {8,9}");
    let empty = "select count(*) from ai.tool_calls where statements = '[]' and egress = '[]'
        and octet_length(arguments_sha256) in (0, 32)";
    assert_eq!(app.database.value::<i64>(empty).await, 6);
}

/// A host whose commit had no answer writes the rows again.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_written_again_stays_one_row() {
    let app = App::start().await;
    let log = app.state.caller_db.audit();
    let mut again = row();
    again.texts.keep_failure("it said so".into());
    for _ in 0..2 {
        // Twice in one batch as well.
        log.finish(again.clone()).await;
        log.finish(again.clone()).await;
        log.finish(row()).await;
        log.flush().await;
    }
    assert_eq!(stored(&app.database).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_stops_writes_every_row_first() {
    let app = App::start().await;
    for _ in 0..2_500 {
        app.state.caller_db.audit().finish(row()).await;
    }
    let database = app.stop().await;
    assert_eq!(stored(&database).await, 2_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_listed_newest_first_and_found_by_the_moment_of_their_start() {
    let app = App::start().await;
    app.upload_bytes(components::tool("one", &json!({"type": "object"})), &json!({}), "?name=first").await;
    for _ in 0..3 {
        assert_eq!(app.call(&User::Is(ALICE), "one", json!({})).await.status, 200);
    }
    let calls = async |user: &User, query: &str| {
        let answer = app.get(user, &format!("/api/tool-calls?{query}")).await;
        answer.json["tool_calls"].as_array().unwrap_or_else(|| panic!("{query}: {}", answer.text)).clone()
    };
    for (user, found) in [(User::Service, 3), (User::Is(ALICE), 3), (User::Is(BOB), 0)] {
        let listed = calls(&user, "limit=200").await;
        assert_eq!(listed.len(), found, "{user:?}");
        let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
        for field in ["call_id", "started_at"] {
            assert!(listed.is_sorted_by(|newer, older| text(newer, field) > text(older, field)), "{field}: {listed:?}");
        }
        let Some(middle) = listed.get(1) else { continue };
        let moment = text(middle, "started_at").replace("+00:00", "Z");
        let since: Vec<_> = calls(&user, &format!("from={moment}")).await;
        let before: Vec<_> = calls(&user, &format!("to={moment}")).await;
        assert_eq!((&since[..], &before[..]), (&listed[..2], &listed[2..]), "{user:?}");
        assert_eq!(calls(&user, &format!("from={moment}&limit=1&offset=1")).await, listed[1..2]);
        assert!(calls(&user, "from=2999-01-01").await.is_empty() && calls(&user, "to=2020-01-01").await.is_empty());
    }
    // What is counted is bounded in the same way.
    let usage = app.get(&User::Service, "/api/usage?from=2020-01-01").await;
    assert!(usage.text.contains("\"calls\":3"), "{}", usage.text);
    let usage = app.get(&User::Service, "/api/usage?from=2999-01-01").await;
    assert!(usage.status == 200 && !usage.text.contains("\"calls\":3"), "{}", usage.text);
}
