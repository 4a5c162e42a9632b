//! Scopes of a call: several statements see one snapshot, and a failed statement ends its scope alone.

use std::sync::Arc;

use behalf_tests::database::run;
use behalf_tests::{ALICE, App, BOB, Options, User, eventually, guests, read_grants};
use serde_json::{Value, json};

use super::{DEADLINE, LONG, NOT_COMMITTED, SHORT, TOOL_ERROR, TRAPPED, count, database, ends, goes_well};

/// Fails on the server.
const FAILING: &str = "select 1 / (select count(*) from notes where false)";

/// Shows whose statement it is.
const WHO: &str = "select auth.uid()::text, auth.role(), current_user::text";

/// Shows the snapshot and the beginning of the transaction.
const SEEN: &str = "select count(*), now()::text from notes";

/// The number of statements that wait for a lock on a table of this database.
const WAITING: &str = "select count(*) from pg_locks l join pg_database d on d.oid = l.database
    where not l.granted and d.datname = current_database()";

fn reading(timeout_ms: u64) -> Value {
    let mut grants = read_grants();
    grants["limits"] = json!({ "timeout_ms": timeout_ms });
    grants
}

async fn host(grants: &Value) -> App {
    let app = App::start().await;
    app.install(guests::PROBE, grants).await;
    app
}

fn query(sql: &str) -> Value {
    json!({"mode": "query", "sql": sql})
}

fn insert(title: &str) -> Value {
    json!({"mode": "execute", "sql": format!("insert into notes (title, body) values ('{title}', '')")})
}

fn begin() -> Value {
    json!({"mode": "begin_scope"})
}

fn end(keep: bool) -> Value {
    json!({"mode": "end_scope", "keep": keep})
}

fn commit() -> Value {
    json!({"mode": "commit"})
}

/// Makes these steps in one call of Alice, which succeeds, and returns the answers to them.
async fn steps(app: &App, steps: &[Value]) -> Vec<Value> {
    let seen = goes_well(app, "sql_many", json!({ "statements": steps })).await;
    seen.as_array().unwrap_or_else(|| panic!("{seen}")).clone()
}

/// The error code of each step, empty where it succeeded.
fn codes(seen: &[Value]) -> Vec<&str> {
    seen.iter().map(|step| step["error"]["code"].as_str().unwrap_or_default()).collect()
}

/// Makes these steps in one call that can only read. One of them reads `expenses` and waits there until another session
/// has committed a note of Alice's.
async fn while_a_note_is_added(steps: Vec<Value>) -> Vec<Value> {
    let app = Arc::new(host(&reading(LONG)).await);
    let mut holder = app.database.owner().await;
    run(&mut holder, "begin; lock table expenses in access exclusive mode").await;
    let call = tokio::spawn({
        let app = Arc::clone(&app);
        async move { app.call(&User::Is(ALICE), "sql_many", json!({ "statements": steps })).await }
    });
    eventually("a statement waits for the lock", async || app.database.value::<i64>(WAITING).await > 0).await;
    let add = format!("insert into notes (owner_id, title, body) values ('{ALICE}', 'added', '')");
    app.database.execute(&add).await;
    run(&mut holder, "commit").await;
    let answer = call.await.unwrap();
    app.settled().await;
    answer.result().as_array().unwrap_or_else(|| panic!("{}", answer.text)).clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_a_scope_see_one_snapshot() {
    let wait = "select count(*) from expenses";
    let scoped = while_a_note_is_added(vec![begin(), query(SEEN), query(wait), query(SEEN), end(true)]).await;
    assert_eq!(codes(&scoped), [""; 5], "{scoped:?}");
    assert_eq!(scoped[1]["rows"], scoped[3]["rows"], "the same rows and the same now()");

    let plain = while_a_note_is_added(vec![query(SEEN), query(wait), query(SEEN)]).await;
    assert_eq!(codes(&plain), [""; 3], "{plain:?}");
    let (first, second) = (&plain[0]["rows"][0], &plain[2]["rows"][0]);
    assert_eq!(second[0].as_i64(), first[0].as_i64().map(|notes| notes + 1), "{plain:?}");
    assert_ne!(first[1], second[1], "each statement is a transaction of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_reads_goes_on_after_a_failure_in_a_scope() {
    let app = host(&reading(SHORT)).await;
    let failing = [query("select 1"), begin(), query(FAILING), query("select 2"), end(false), query("select 3")];
    let seen = steps(&app, &failing).await;
    assert_eq!(codes(&seen), ["", "", "invalid", "aborted", "", ""], "{seen:?}");
    assert_eq!(seen[5]["rows"], json!([[3]]));
    // What reached no database ends nothing.
    let refused = [begin(), query("select pg_sleep(1)"), insert("refused"), query("select 2"), end(true)];
    let seen = steps(&app, &refused).await;
    assert_eq!(codes(&seen), ["", "refused", "not_granted", "", ""], "{seen:?}");
    // Without a scope the failure ends the call.
    let failing = json!([query(FAILING), query("select 2"), begin()]);
    ends(&app, "sql_many", json!({ "statements": failing }), NOT_COMMITTED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_writes_loses_no_more_than_the_scope() {
    let app = host(&database(SHORT)).await;
    let failing = json!([
        insert("before"),
        begin(),
        insert("inside"),
        query(FAILING),
        insert("too late"),
        end(false),
        insert("after"),
    ]);
    let answer = app.call(&User::Is(ALICE), "sql_many", json!({ "statements": failing })).await;
    let seen = answer.result().as_array().unwrap();
    assert_eq!(codes(seen), ["", "", "", "invalid", "aborted", "", ""], "{seen:?}");
    for (title, rows) in [("before", 1), ("inside", 0), ("too late", 0), ("after", 1)] {
        assert_eq!(count(&app, title).await, rows, "{title}");
    }
    app.settled().await;
    let row = app.audit_of(&answer).await;
    assert_eq!(row["transaction_ids"].as_array().map(Vec::len), Some(1), "it stays one transaction: {row}");
    // A scope that is not kept is undone although nothing failed.
    let seen = steps(&app, &[begin(), insert("undone"), end(false), begin(), insert("kept"), end(true)]).await;
    assert_eq!(codes(&seen), [""; 6], "{seen:?}");
    assert_eq!((count(&app, "undone").await, count(&app, "kept").await), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_in_which_a_statement_failed_is_not_kept() {
    let app = host(&database(SHORT)).await;
    let seen = steps(&app, &[begin(), insert("lost"), query(FAILING), end(true), insert("goes on")]).await;
    assert_eq!(codes(&seen), ["", "", "invalid", "aborted", ""], "{seen:?}");
    assert_eq!((count(&app, "lost").await, count(&app, "goes on").await), (0, 1));
    // A tool that returns with an open scope keeps it, unless a statement failed in it.
    steps(&app, &[begin(), insert("left open")]).await;
    assert_eq!(count(&app, "left open").await, 1);
    let left = json!([insert("outside"), begin(), insert("inside"), query(FAILING)]);
    ends(&app, "sql_many", json!({ "statements": left }), NOT_COMMITTED).await;
    assert_eq!((count(&app, "outside").await, count(&app, "inside").await), (0, 0));
    // A call that ends badly keeps nothing of its scopes.
    for (how, expected) in [("error", TOOL_ERROR), ("trap", TRAPPED), ("spin", DEADLINE)] {
        let ended = json!([begin(), insert("kept by its scope"), end(true), begin(), insert("open")]);
        ends(&app, "sql_many", json!({ "statements": ended, "end": how }), expected).await;
        assert_eq!((count(&app, "kept by its scope").await, count(&app, "open").await), (0, 0), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_are_inside_each_other_and_eight_deep() {
    let app = host(&database(SHORT)).await;
    let nested = [
        begin(),
        insert("one"),
        begin(),
        insert("two"),
        end(false),
        begin(),
        insert("three"),
        end(true),
        begin(),
        query(FAILING),
        end(false),
        insert("four"),
        end(true),
    ];
    let seen = steps(&app, &nested).await;
    assert_eq!(codes(&seen)[9], "invalid", "{seen:?}");
    assert_eq!(codes(&seen).iter().filter(|code| !code.is_empty()).count(), 1, "{seen:?}");
    for (title, rows) in [("one", 1), ("two", 0), ("three", 1), ("four", 1)] {
        assert_eq!(count(&app, title).await, rows, "{title}");
    }
    let seen = steps(&app, &[begin(), begin(), insert("undone outside"), end(true), end(false)]).await;
    assert_eq!(codes(&seen), [""; 5], "{seen:?}");
    assert_eq!(count(&app, "undone outside").await, 0);
    for app in [app, host(&reading(SHORT)).await] {
        let mut deep = vec![begin(); 9];
        deep.extend(vec![end(true); 9]);
        let seen = steps(&app, &deep).await;
        let mut expected = vec![""; 18];
        (expected[8], expected[17]) = ("limit", "invalid");
        assert_eq!(codes(&seen), expected, "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_in_an_open_scope_is_invalid() {
    let app = host(&database(SHORT)).await;
    let early = [insert("first"), begin(), insert("second"), commit(), end(true), commit(), insert("third")];
    let seen = steps(&app, &early).await;
    assert_eq!(codes(&seen), ["", "", "", "invalid", "", "", ""], "{seen:?}");
    for title in ["first", "second", "third"] {
        assert_eq!(count(&app, title).await, 1, "{title}");
    }
    let reads = host(&reading(SHORT)).await;
    let seen = steps(&reads, &[commit(), begin(), query("select 1"), commit(), end(true), commit()]).await;
    assert_eq!(codes(&seen), ["", "", "", "invalid", "", ""], "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_caller_is_the_same_in_a_scope_and_after_it() {
    for grants in [reading(SHORT), database(SHORT)] {
        let app = host(&grants).await;
        let asked = [
            query(WHO),
            begin(),
            query(WHO),
            begin(),
            query(FAILING),
            end(false),
            query(WHO),
            end(true),
            query(WHO),
            begin(),
            query(WHO),
            end(false),
            query(WHO),
        ];
        let seen = steps(&app, &asked).await;
        for step in [0, 2, 6, 8, 10, 12] {
            let expected = json!([[ALICE, "authenticated", "authenticated"]]);
            assert_eq!(seen[step]["rows"], expected, "{grants}: {step} of {seen:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scope_ends_with_its_call() {
    for grants in [reading(SHORT), database(SHORT)] {
        let settings = vec![("tool_connections", "1".to_owned())];
        let app = App::with(Options { settings }).await;
        app.install(guests::PROBE, &grants).await;
        for left in [vec![begin(), query(SEEN)], vec![begin(), begin(), query(SEEN)], vec![begin(), query(FAILING)]] {
            // Whatever becomes of this call, the next caller gets its connection.
            app.call(&User::Is(ALICE), "sql_many", json!({ "statements": left })).await;
            app.settled().await;
            let asked = json!([query(WHO), end(true), begin(), query(WHO), end(true), query("select 2")]);
            let answer = app.call(&User::Is(BOB), "sql_many", json!({ "statements": asked })).await;
            let seen = answer.result().as_array().unwrap();
            assert_eq!(codes(seen), ["", "invalid", "", "", "", ""], "{grants} {left:?}: {seen:?}");
            for step in [0, 3] {
                assert_eq!(seen[step]["rows"], json!([[BOB, "authenticated", "authenticated"]]), "{seen:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_scope_of_a_call_that_reads_can_be_idle_for_too_long() {
    let app = host(&reading(LONG)).await;
    let wait = json!({"mode": "wait", "ms": 7_000});
    let scoped = json!([begin(), query("select 1"), wait, query("select 2")]);
    let plain = json!([query("select 1"), wait, query("select 2")]);
    let alice = User::Is(ALICE);
    let call = |steps: Value| app.call(&alice, "sql_many", json!({ "statements": steps }));
    let (scoped, plain) = tokio::join!(call(scoped), call(plain));
    assert_eq!((scoped.status, scoped.json["code"].as_str()), (422, Some("commit_failed")), "{}", scoped.text);
    assert!(scoped.json["detail"].as_str().unwrap_or_default().contains("idled too long"), "{}", scoped.text);
    let plain = plain.result().as_array().unwrap();
    assert_eq!(codes(plain), [""; 3], "{plain:?}");
}
