//! Commits whose connection breaks: the caller is told what became of them, and nobody is invited to write twice.

use std::time::Instant;

use behalf_tests::breaking_way::{Break, BreakingWay};
use behalf_tests::{ALICE, Answer, App, Options, TestDatabase, User, eventually, guests, write_grants};
use serde_json::{Value, json};

use super::count;

/// A host whose tools reach the database by a way that can break; with `all`, the host itself as well.
async fn host(all: bool) -> (App, BreakingWay) {
    let database = TestDatabase::create().await;
    let way = BreakingWay::to(&database.tool_url()).await;
    let mut settings = vec![("tool_database_url", way.address(&database.tool_url()))];
    if all {
        settings.push(("host_database_url", way.address(&database.host_url())));
    }
    let app = App::on(database, Options { settings }).await;
    app.install(guests::PROBE, &write_grants()).await;
    (app, way)
}

fn insert(title: &str) -> Value {
    json!({"table": "notes", "operation": "insert", "data": {"title": title, "body": ""}})
}

async fn write(app: &App, title: &str) -> Answer {
    app.call(&User::Is(ALICE), "database_write", insert(title)).await
}

async fn audit_row(app: &App, answer: &Answer) -> Value {
    app.settled().await;
    app.audit_of(answer).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_made_is_a_success_although_its_answer_was_lost() {
    let (app, way) = host(false).await;
    way.break_at_commit(Break::After);
    let answer = write(&app, "made").await;
    assert!(way.has_broken(), "the way held, so this shows nothing");
    assert_eq!(answer.result()["rows_affected"], 1);
    assert_eq!(count(&app, "made").await, 1);
    let row = audit_row(&app, &answer).await;
    assert_eq!((&row["outcome"], row["transaction_ids"].as_array().map(Vec::len)), (&json!("ok"), Some(1)), "{row}");
    // The same in the middle of a call, which then goes on.
    way.break_at_commit(Break::After);
    let sql = |title: &str| json!({"mode": "execute", "sql": format!("insert into notes (title, body) values ('{title}', '')")});
    let statements = json!([sql("first half"), {"mode": "commit"}, sql("second half")]);
    let answer = app.call(&User::Is(ALICE), "sql_many", json!({ "statements": statements })).await;
    assert!(way.has_broken(), "the way held, so this shows nothing");
    assert_eq!(answer.result()[1], json!({"committed": true}));
    assert_eq!((count(&app, "first half").await, count(&app, "second half").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_never_arrived_is_said_to_have_kept_nothing() {
    let (app, way) = host(false).await;
    way.break_at_commit(Break::Before);
    let answer = write(&app, "lost").await;
    assert!(way.has_broken(), "the way held, so this shows nothing");
    assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("commit_failed")), "{}", answer.text);
    let detail = answer.json["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("nothing of this transaction was kept"), "{detail}");
    assert_eq!(count(&app, "lost").await, 0);
    let row = audit_row(&app, &answer).await;
    assert_eq!((&row["outcome"], &row["blame"]), (&json!("commit_failed"), &json!("host")), "{row}");
    // So it can be tried again, and is there once.
    assert_eq!(write(&app, "lost").await.status, 200);
    assert_eq!(count(&app, "lost").await, 1);
    // The same where a tool commits in the middle of a call.
    way.break_at_commit(Break::Before);
    let sql = json!({"mode": "execute", "sql": "insert into notes (title, body) values ('half', '')"});
    let statements = json!({ "statements": [sql, {"mode": "commit"}], "end": "error" });
    let answer = app.call(&User::Is(ALICE), "sql_many", statements).await;
    assert!(way.has_broken() && answer.status == 503, "{}", answer.text);
    assert!(answer.text.contains("unavailable") && answer.text.contains("nothing was changed"), "{}", answer.text);
    assert_eq!(count(&app, "half").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_which_the_server_cannot_tell_is_not_to_be_repeated() {
    let (app, way) = host(true).await;
    way.break_at_commit(Break::AfterAndAll);
    let begun = Instant::now();
    let answer = write(&app, "unknown").await;
    assert!(way.has_broken(), "the way held, so this shows nothing");
    assert_eq!((answer.status, answer.json["code"].as_str()), (422, Some("commit_unknown")), "{}", answer.text);
    assert_eq!(answer.json["type"], "urn:behalf:problem:outcome-unknown");
    assert!(answer.json["detail"].as_str().unwrap_or_default().contains("do not repeat"), "{}", answer.text);
    assert!(begun.elapsed().as_secs() < 60, "it is asked for a bounded time");
    assert_eq!(count(&app, "unknown").await, 1, "a client that repeats the call writes twice");
    way.mend();
    eventually("the audit log says it", async || {
        let told = "select coalesce((select outcome || ' ' || blame || ' ' || cardinality(transaction_ids)
            from ai.tool_calls where tool = 'database_write' and outcome <> 'started'), '')";
        app.database.value::<String>(told).await == "commit_unknown host 1"
    })
    .await;
}

/// A server that crashes gives the numbers of transactions that it had not written of to others. Whoever asked how this call ended, by
/// the number in its row, would be told of one of those.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_could_not_be_announced_leaves_no_number_by_which_to_ask() {
    let (app, way) = host(true).await;
    way.break_at_commit_of("database_write", Break::Before);
    let answer = write(&app, "not announced").await;
    assert!(way.has_broken(), "the way held, so this shows nothing");
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert_eq!(count(&app, "not announced").await, 0);
    let row = audit_row(&app, &answer).await;
    assert_eq!((&row["outcome"], &row["transaction_ids"]), (&json!("commit_failed"), &json!([])), "{row}");
}

/// An app's own requests are one message to the server, so nobody can ask afterwards how their transaction ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_an_app_whose_commit_got_no_answer_is_not_to_be_repeated() {
    let (app, way) = host(false).await;
    let insert = ("/rest/v1/notes", json!({"title": "of an app", "body": ""}));
    let bucket = ("/storage/v1/bucket", json!({"id": "of-an-app", "name": "of-an-app"}));
    for ((path, body), user, made) in [
        (insert, User::Is(ALICE), "select count(*) from notes where title = 'of an app'"),
        (bucket, User::Service, "select count(*) from storage.buckets where id = 'of-an-app'"),
    ] {
        // The connection that breaks has its commit prepared.
        assert!(app.post(&user, path, json!({})).await.status < 500, "{path}");
        way.break_at_commit(Break::After);
        let answer = app.request(&user, reqwest::Method::POST, path).json(&body).send().await.unwrap();
        assert!(way.has_broken(), "{path}: the way held, so this shows nothing");
        assert!(answer.headers().get("retry-after").is_none(), "{path}");
        let answer = Answer::of(answer).await;
        assert_eq!(answer.status, 500, "{path}: {}", answer.text);
        assert!(answer.text.contains("not known"), "{path}: {}", answer.text);
        assert_eq!(app.database.value::<i64>(made).await, 1, "{path}: a client that repeats it writes twice");
    }
}
