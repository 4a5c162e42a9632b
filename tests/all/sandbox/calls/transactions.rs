//! The transaction of a call: it is rolled back where the call fails, and its statements are bounded.

use std::sync::Arc;

use behalf_tests::{ALICE, Answer, App, User, eventually, guests, read_grants};
use serde_json::json;

use super::{
    DEADLINE, HOST_CALLS, LONG, NOT_COMMITTED, NOT_JSON, OUTPUT, SHORT, TOOL_ERROR, TRAPPED, bob_is_served, count,
    database, ends, goes_well,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_write_of_a_call_that_fails_leaves_no_row() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    let insert = |title: &str| format!("insert into notes (title, body) values ('{title}', '')");
    for (tool, end) in [
        ("write_then_error", TOOL_ERROR),
        ("write_then_trap", TRAPPED),
        ("write_then_spin", DEADLINE),
        ("write_then_exit", TRAPPED),
        ("write_then_invalid", NOT_JSON),
    ] {
        let answer = ends(&app, tool, json!({"sql": insert(tool)}), end).await;
        let row = app.audit_of(&answer).await;
        assert_eq!(row["statements"][0]["rows"], 1, "the write was made, or this shows nothing: {row}");
        assert_eq!(row["transaction_ids"], json!([]), "{row}");
        assert_eq!(count(&app, tool).await, 0, "{tool}");
    }
    for end in ["error", "trap", "spin"] {
        let statements = json!([{"mode": "execute", "sql": insert("sql_many")}, {"sql": "select 1"}]);
        let expected = match end {
            "error" => TOOL_ERROR,
            "trap" => TRAPPED,
            _ => DEADLINE,
        };
        ends(&app, "sql_many", json!({"statements": statements, "end": end}), expected).await;
        assert_eq!(count(&app, "sql_many").await, 0, "{end}");
    }
    // A write that the tool has committed itself stays, and the audit row names its transaction.
    let answer = ends(&app, "commit_then_fail", json!({"sql": insert("on purpose")}), TOOL_ERROR).await;
    assert_eq!(count(&app, "on purpose").await, 1);
    assert_eq!(app.audit_of(&answer).await["transaction_ids"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_a_tool_swallows_ends_the_call_and_undoes_its_writes() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    let insert = "insert into notes (title, body) values ('swallowed', '')";
    let failing = "select 1 / (select count(*) from notes where false)";
    // Nothing was written, and the answer is wrong all the same: it was made without what the tool could not read.
    let read = ends(&app, "swallow_error", json!({"sql": failing}), NOT_COMMITTED).await;
    let detail = read.json["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("the tool went on without it: division by zero"), "{detail}");
    // After the error the transaction is over: a write is answered `aborted`, and never made.
    ends(&app, "swallow_error", json!({"sql": failing, "then": insert}), NOT_COMMITTED).await;
    assert_eq!(count(&app, "swallowed").await, 0);
    // A write before the error is rolled back, so the call fails even if the tool answers with success.
    let statements = json!([{"mode": "execute", "sql": insert}, {"sql": failing}]);
    ends(&app, "sql_many", json!({"statements": statements}), NOT_COMMITTED).await;
    assert_eq!(count(&app, "swallowed").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_only_reads_fails_with_the_statement_that_its_tool_ignored() {
    let app = App::start().await;
    app.install(guests::PROBE, &read_grants()).await;
    let sqlstate = async |answer: &Answer| {
        app.settled().await;
        app.audit_of(answer).await["statements"][0]["sqlstate"].clone()
    };
    let fails = "select 1 / (select count(*) from notes where false)";
    let answer = ends(&app, "swallow_error", json!({ "sql": fails }), NOT_COMMITTED).await;
    assert_eq!(sqlstate(&answer).await, "22012");
    // The failure keeps its kind: what the caller may not read is no fault of the tool.
    app.database.execute("revoke select on budgets from authenticated").await;
    let denied = json!({ "sql": "select * from budgets" });
    let answer = app.call(&User::Is(ALICE), "swallow_error", denied).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (403, Some("commit_failed")), "{}", answer.text);
    assert_eq!(sqlstate(&answer).await, "42501");
    // Not only the last statement counts, and not only the first.
    for statements in [json!([{"sql": fails}, {"sql": "select 1"}]), json!([{"sql": "select 1"}, {"sql": fails}])] {
        ends(&app, "sql_many", json!({ "statements": statements }), NOT_COMMITTED).await;
    }
    // What reached no database, and what failed in a scope that was ended, can be gone on without.
    let refused = goes_well(&app, "swallow_error", json!({"sql": "select pg_sleep(1)"})).await;
    assert_eq!(refused["swallowed"]["error"]["code"], "refused", "{refused}");
    let scoped = json!([{"mode": "begin_scope"}, {"sql": fails}, {"mode": "end_scope"}, {"sql": "select 7"}]);
    let seen = goes_well(&app, "sql_many", json!({ "statements": scoped })).await;
    assert_eq!(seen[3]["rows"], json!([[7]]), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_parameters_is_the_callers_mistake() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    for (sql, params, told) in [
        ("select $1::int + $2::int", json!([1]), "the statement takes 2 parameters ($1 to $2), and 1 was given"),
        ("select $1::int", json!([1, 2, 3]), "the statement takes 1 parameter ($1), and 3 were given"),
        ("select 1", json!(["x"]), "the statement takes no parameters, and 1 was given"),
        ("delete from notes where id = $1", json!([]), "the statement takes 1 parameter ($1), and 0 were given"),
    ] {
        let mode = if sql.starts_with("delete") { "execute" } else { "query" };
        let result = goes_well(&app, "sql", json!({"sql": sql, "params": params, "mode": mode})).await;
        let error = &result["error"];
        assert_eq!((&error["code"], &error["message"]), (&json!("invalid"), &json!(told)), "{sql}: {result}");
        assert_eq!(error["retryable"], false, "{sql}: {result}");
    }
    let answer = app.call(&User::Is(ALICE), "database_query", json!({"query": "select $1::int", "params": []})).await;
    assert_eq!((answer.status, answer.json["tool_code"].as_str()), (422, Some("invalid_arguments")), "{}", answer.text);
    assert_eq!(answer.json["retryable"], false, "{}", answer.text);
    assert!(answer.text.contains("takes 1 parameter ($1), and 0 were given"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_reaches_the_server_and_statements_are_budgeted() {
    let app = App::start().await;
    let id = app.install(guests::PROBE, &database(SHORT)).await.json["id"].clone();
    ends(&app, "long_query", json!({}), DEADLINE).await;
    ends(&app, "query_forever", json!({"sql": "select count(*) from generate_series(1, 500000)"}), DEADLINE).await;
    ends(&app, "sleep", json!({"ms": 60_000}), DEADLINE).await;
    let path = format!("/api/plugins/{}", id.as_str().unwrap());
    let changed = app.send(&User::Service, reqwest::Method::PATCH, &path, json!({"grants": database(LONG)})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    ends(&app, "query_forever", json!({}), HOST_CALLS).await;
    let codes = goes_well(&app, "many_queries", json!({"count": 1_200})).await;
    assert_eq!(codes, json!({"ok": 1_000, "limit": 200}));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_to_the_server_is_bounded() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(20_000)).await;
    let ok = goes_well(&app, "many_params", json!({"count": 30})).await;
    assert_eq!(ok["rows"], json!([[30]]), "{ok}");
    let ok = goes_well(&app, "large_param", json!({"bytes": 1 << 20})).await;
    assert_eq!(ok["rows"], json!([[1 << 20]]), "{ok}");
    for (tool, arguments, code) in [
        ("many_params", json!({"count": 70_000}), "limit"),
        ("large_sql", json!({"bytes": 1 << 20}), "refused"),
        ("large_sql", json!({"bytes": 1 << 20, "mode": "or"}), "refused"),
        ("large_sql", json!({"bytes": 1 << 20, "mode": "parentheses"}), "refused"),
        ("large_sql", json!({"bytes": 60_000, "mode": "parentheses"}), "refused"),
    ] {
        let result = goes_well(&app, tool, arguments.clone()).await;
        assert_eq!(result["error"]["code"], code, "{tool} {arguments}: {result}");
        bob_is_served(&app).await;
    }
    ends(&app, "large_sql", json!({"bytes": 8 << 20}), OUTPUT).await;
    ends(&app, "large_param", json!({"bytes": 8 << 20}), OUTPUT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_waits_for_its_tool_gives_its_connection_to_others() {
    let app = Arc::new(App::start().await);
    app.install(guests::PROBE, &database(LONG)).await;
    let call = tokio::spawn({
        let app = Arc::clone(&app);
        let arguments = json!({"first": "select 1", "wait_ms": 7_000, "second": "select 2"});
        async move { app.call(&User::Is(ALICE), "wait_between", arguments).await }
    });
    eventually("the transaction begins", async || app.state.caller_db.tool_connections().in_use == 1).await;
    eventually("the connection is given back", async || app.state.caller_db.tool_connections().in_use == 0).await;
    assert!(!call.is_finished(), "the call ended, so this shows nothing");
    // The second statement was refused, and the tool answered as if it had not been.
    let answer = call.await.unwrap();
    assert_eq!((answer.status, answer.json["code"].as_str()), (422, Some("commit_failed")), "{}", answer.text);
    assert!(answer.json["detail"].as_str().unwrap_or_default().contains("idled too long"), "{}", answer.text);
    app.settled().await;
    let quick =
        goes_well(&app, "wait_between", json!({"first": "select 1", "wait_ms": 50, "second": "select 2"})).await;
    assert_eq!(quick["second"]["rows"], json!([[2]]), "{quick}");
}
