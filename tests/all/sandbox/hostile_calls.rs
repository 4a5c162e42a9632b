//! Tools that misbehave while they are called: each ends as documented, hurts nobody else, and leaves nothing behind.

use std::sync::Arc;

use behalf_tests::{ALICE, Answer, App, BOB, User, eventually, guests, write_grants};
use futures::future::join_all;
use serde_json::{Value, json};

/// How a call ends: status, the audit row's outcome, and who is to blame.
type End = (u16, &'static str, &'static str);

const DEADLINE: End = (408, "deadline", "guest");
const TRAPPED: End = (502, "trapped", "guest");
const NOT_JSON: End = (502, "not_json", "guest");
const MEMORY: End = (507, "memory_limit", "guest");
const OUTPUT: End = (507, "output_limit", "guest");
const HOST_CALLS: End = (507, "host_call_limit", "guest");
const TOOL_ERROR: End = (422, "tool_error", "guest");
const NOT_GRANTED: End = (403, "not_granted", "host");
const NOT_COMMITTED: End = (422, "commit_failed", "guest");

/// Long enough for everything but what never ends.
const SHORT: u64 = 1_500;
/// So long that a test that waited for it would be noticed.
const LONG: u64 = 120_000;

fn limits(timeout_ms: u64) -> Value {
    json!({ "limits": { "timeout_ms": timeout_ms } })
}

fn database(timeout_ms: u64) -> Value {
    let mut grants = write_grants();
    grants["limits"] = json!({ "timeout_ms": timeout_ms });
    grants
}

/// Calls as Alice, sees that it ends so, that Bob is served right after, and that nothing is left.
async fn ends(app: &App, tool: &str, arguments: Value, end: End) -> Answer {
    let answer = app.call(&User::Is(ALICE), tool, arguments.clone()).await;
    let seen = short(&answer.text);
    assert_eq!(answer.status, end.0, "{tool} {arguments}: {seen}");
    assert_eq!(answer.json["code"], end.1, "{tool} {arguments}: {seen}");
    bob_is_served(app).await;
    app.settled().await;
    let row = app.audit_of(&answer).await;
    let told = (row["tool"].as_str(), row["outcome"].as_str(), row["blame"].as_str(), row["user_id"].as_str());
    assert_eq!(told, (Some(tool), Some(end.1), Some(end.2), Some(&*ALICE.to_string())), "{row}");
    assert!(row["duration_us"].as_i64().is_some_and(|time| time > 0), "{row}");
    answer
}

/// Calls as Alice, sees that it goes well, and that nothing is left.
async fn goes_well(app: &App, tool: &str, arguments: Value) -> Value {
    let answer = app.call(&User::Is(ALICE), tool, arguments.clone()).await;
    assert_eq!(answer.status, 200, "{tool} {arguments}: {}", short(&answer.text));
    app.settled().await;
    answer.json["result"].clone()
}

/// A call of another user, through the database and back, is right.
async fn bob_is_served(app: &App) {
    let answer = app.call(&User::Is(BOB), "database_query", json!({"query": "select title from notes"})).await;
    assert_eq!(answer.result(), &json!([{"title": "Car"}]));
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_never_ends_or_ends_badly_hurts_nobody() {
    let app = App::start().await;
    app.install(guests::HOSTILE, &limits(SHORT)).await;
    for (tool, arguments, end) in [
        ("spin", json!({}), DEADLINE),
        ("sleep_forever", json!({}), DEADLINE),
        ("grow_memory", json!({"then": "panic"}), MEMORY),
        ("recurse", json!({}), TRAPPED),
        ("panic", json!({"message": "\u{1b}[31m"}), TRAPPED),
        ("abort", json!({}), TRAPPED),
        ("exit", json!({"code": 0}), TRAPPED),
        ("exit", json!({"code": 1}), TRAPPED),
        ("wild_pointer", json!({}), TRAPPED),
        ("host_calls", json!({"what": "log"}), HOST_CALLS),
        ("host_calls", json!({"what": "progress"}), HOST_CALLS),
        ("host_calls", json!({"what": "identity"}), HOST_CALLS),
        ("host_calls", json!({"what": "call"}), HOST_CALLS),
        ("host_calls", json!({"what": "remaining"}), HOST_CALLS),
    ] {
        ends(&app, tool, arguments, end).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_none_is_the_tools_own_failure() {
    let app = App::start().await;
    app.install(guests::HOSTILE, &json!({})).await;
    for (tool, arguments, end) in [
        ("huge_result", json!({}), MEMORY),
        ("huge_result", json!({"bytes": 20 << 20}), OUTPUT),
        ("huge_result", json!({"bytes": 1 << 20}), OUTPUT),
        ("huge_error", json!({}), OUTPUT),
        ("huge_error", json!({"bytes": 2 << 20}), OUTPUT),
        ("nested_result", json!({}), NOT_JSON),
        ("nested_result", json!({"depth": 129}), NOT_JSON),
        ("invalid_json", json!({}), NOT_JSON),
        ("empty_result", json!({}), NOT_JSON),
        ("two_results", json!({}), NOT_JSON),
        ("not_utf8", json!({}), TRAPPED),
        ("result_beyond_memory", json!({}), TRAPPED),
        ("strange_error", json!({}), TOOL_ERROR),
        ("strange_error", json!({"code": "a\u{0}b\r\nc"}), TOOL_ERROR),
    ] {
        let answer = ends(&app, tool, arguments, end).await;
        assert!(answer.text.len() < 4096, "{tool}: {}", short(&answer.text));
    }
    let almost = goes_well(&app, "huge_result", json!({"bytes": (1 << 20) - 2})).await;
    assert_eq!(almost.as_str().map(str::len), Some((1 << 20) - 2));
    let mut inner = goes_well(&app, "nested_result", json!({"depth": 100})).await;
    for _ in 1..100 {
        inner = inner[0].take();
    }
    assert_eq!(inner, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_may_not_have_is_not_there() {
    let app = App::start().await;
    app.install(guests::HOSTILE, &json!({})).await;
    let told = goes_well(&app, "environment", json!({})).await;
    assert_eq!((&told["variables"], &told["arguments"]), (&json!([]), &json!([])), "{told}");
    assert!(told["directory"].is_null() || told["directory"] == "/", "{told}");
    let thread = goes_well(&app, "spawn_thread", json!({})).await;
    assert!(thread["error"].is_string(), "{thread}");
    let got = goes_well(&app, "grow_memory", json!({})).await;
    assert!((32..64).contains(&got["mib"].as_u64().unwrap()), "{got}");
    goes_well(&app, "log_lines", json!({"count": 50})).await;
    goes_well(&app, "log_forgery", json!({})).await;
    goes_well(&app, "flood_output", json!({"bytes": 4 << 20})).await;
    goes_well(&app, "flood_output", json!({"bytes": 4 << 20, "stream": "stderr"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_has_no_socket_and_no_name_service() {
    let app = App::start().await;
    app.install(guests::SOCKETS, &json!({})).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let packets = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for (tool, arguments) in [
        ("connect", json!({"address": address})),
        ("connect", json!({"address": app.url.trim_start_matches("http://")})),
        ("listen", json!({"address": "127.0.0.1:0"})),
        ("listen", json!({"address": "[::1]:0"})),
        ("send", json!({"address": packets.local_addr().unwrap().to_string()})),
        ("resolve", json!({"name": "localhost"})),
        ("resolve", json!({"name": "example.com"})),
    ] {
        let result = goes_well(&app, tool, arguments.clone()).await;
        assert!(result["error"].is_string() && result["ok"].is_null(), "{tool} {arguments}: {result}");
    }
    let arrived = tokio::time::timeout(std::time::Duration::from_millis(50), listener.accept()).await;
    assert!(arrived.is_err(), "a connection arrived");
    assert!(packets.try_recv(&mut [0; 8]).is_err(), "a packet arrived");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_whose_import_was_not_granted_does_not_run() {
    let app = App::start().await;
    app.install(guests::PROBE, &limits(SHORT)).await;
    app.install(guests::SEARCH, &json!({})).await;
    for (tool, arguments) in [
        ("sql", json!({"sql": "select 1"})),
        ("clock", json!({})),
        ("write_then_spin", json!({"sql": "delete from notes"})),
        ("search", json!({"text": "tomatoes"})),
    ] {
        ends(&app, tool, arguments, NOT_GRANTED).await;
    }
    assert_eq!(app.database.value::<i64>("select count(*) from notes").await, 3);
}

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
    // What was committed on purpose stays, and the audit row names its transaction.
    let answer = ends(&app, "commit_then_fail", json!({"sql": insert("on purpose")}), TOOL_ERROR).await;
    assert_eq!(count(&app, "on purpose").await, 1);
    assert_eq!(app.audit_of(&answer).await["transaction_ids"].as_array().map(Vec::len), Some(1));
}

async fn count(app: &App, title: &str) -> i64 {
    app.database.value(&format!("select count(*) from notes where title = '{title}'")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_a_tool_swallows_undoes_its_writes() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    let insert = "insert into notes (title, body) values ('swallowed', '')";
    let failing = "select 1 / (select count(*) from notes where false)";
    let read = goes_well(&app, "swallow_error", json!({"sql": failing})).await;
    assert_eq!(read["swallowed"]["error"]["sqlstate"], "22012", "{read}");
    // After the error the transaction is over: a write is answered `aborted`, and never made.
    let after = goes_well(&app, "swallow_error", json!({"sql": failing, "then": insert})).await;
    assert_eq!(after["then"]["error"]["code"], "aborted", "{after}");
    assert_eq!(count(&app, "swallowed").await, 0);
    // A write before the error is undone, so a tool that answers ok all the same is told that it was not.
    let statements = json!([{"mode": "execute", "sql": insert}, {"sql": failing}]);
    ends(&app, "sql_many", json!({"statements": statements}), NOT_COMMITTED).await;
    assert_eq!(count(&app, "swallowed").await, 0);
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
    eventually("the transaction begins", async || app.state.db.tool_connections().0 == 1).await;
    eventually("the connection is given back", async || app.state.db.tool_connections().0 == 0).await;
    assert!(!call.is_finished(), "the call ended, so this shows nothing");
    let answer = call.await.unwrap();
    let result = answer.result();
    assert_eq!(result["first"]["rows"], json!([[1]]), "{result}");
    assert_eq!(result["second"]["error"]["code"], "aborted", "{result}");
    app.settled().await;
    let quick =
        goes_well(&app, "wait_between", json!({"first": "select 1", "wait_ms": 50, "second": "select 2"})).await;
    assert_eq!(quick["second"]["rows"], json!([[2]]), "{quick}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_instance_remembers_another_call() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(LONG)).await;
    let calls = (0..60).map(|index| {
        let (app, user) = (&app, if index % 2 == 0 { ALICE } else { BOB });
        async move { (user, app.call(&User::Is(user), "remember", json!({})).await) }
    });
    for (user, answer) in join_all(calls).await {
        assert_eq!(answer.result(), &json!({"before": null, "now": format!("authenticated/{user}")}));
    }
    // A call that failed leaves its instance's memory to nobody either.
    ends(&app, "sql_many", json!({"statements": [], "end": "trap"}), TRAPPED).await;
    let answer = app.call(&User::Anon, "remember", json!({})).await;
    assert_eq!(answer.result(), &json!({"before": null, "now": "anon/"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn clocks_random_numbers_and_standard_output_work() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    let clock = goes_well(&app, "clock", json!({})).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(clock["unix_seconds"].as_u64().unwrap().abs_diff(now) < 60, "{clock}");
    assert!(clock["slept_ms"].as_u64().unwrap() >= 20, "{clock}");
    let numbers = [goes_well(&app, "random", json!({})).await, goes_well(&app, "random", json!({})).await];
    assert_ne!(numbers[0][0], numbers[1][0]);
    goes_well(&app, "print", json!({"stdout": "hello", "stderr": "\u{0}\u{1b}[2J"})).await;
    goes_well(&app, "sleep", json!({"ms": 10})).await;
    let told = goes_well(&app, "identity", json!({})).await;
    assert_eq!(told["identity"]["subject"], ALICE.to_string());
    assert!(told["remaining_ms"].as_u64().unwrap() <= SHORT, "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_that_keep_every_thread_busy_delay_nobody() {
    let app = Arc::new(App::start().await);
    app.install(guests::HOSTILE, &limits(LONG)).await;
    app.install(guests::PROBE, &database(LONG)).await;
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let insert = json!({"sql": "insert into notes (title, body) values ('spinning', '')"});
    let mut calls = Vec::new();
    for index in 0..2 * threads + 3 {
        let (app, insert) = (Arc::clone(&app), insert.clone());
        calls.push(tokio::spawn(async move {
            match index {
                0 => app.call(&User::Is(ALICE), "write_then_spin", insert).await,
                1 => app.call(&User::Is(ALICE), "sleep_forever", json!({})).await,
                2 => app.call(&User::Is(ALICE), "long_query", json!({})).await,
                _ => app.call(&User::Is(ALICE), "spin", json!({})).await,
            }
        }));
    }
    app.running(calls.len()).await;
    for _ in 0..5 {
        assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
        bob_is_served(&app).await;
        let answer = app.call(&User::Is(BOB), "remember", json!({})).await;
        assert_eq!(answer.result()["now"], format!("authenticated/{BOB}"));
        ends_beside(&app, calls.len()).await;
    }
    // All this was done while they ran; none of them came to its end.
    assert!(calls.iter().all(|call| !call.is_finished()));
    assert_eq!(app.state.tools.sandbox().running_calls(), calls.len());
    // Clients that go away take their calls with them.
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    app.settled().await;
    assert_eq!(count(&app, "spinning").await, 0);
    eventually("every call is in the audit log", async || {
        let rows = app.audit().await;
        let cancelled = rows.iter().filter(|row| row["outcome"] == "cancelled" && row["blame"] == "caller");
        cancelled.count() == calls.len()
    })
    .await;
}

/// A crash beside calls that run is answered, and those go on.
async fn ends_beside(app: &App, running: usize) {
    let answer = app.call(&User::Is(BOB), "abort", json!({})).await;
    assert_eq!(answer.status, 502, "{}", answer.text);
    app.running(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_is_said_to_be_full() {
    let settings = vec![("concurrent_calls", "2".to_owned())];
    let app = Arc::new(App::with(behalf_tests::Options { settings }).await);
    app.install(guests::HOSTILE, &limits(LONG)).await;
    app.install(guests::PROBE, &database(200)).await;
    let spin = |_| {
        let app = Arc::clone(&app);
        tokio::spawn(async move { app.call(&User::Is(ALICE), "spin", json!({})).await })
    };
    let calls: Vec<_> = (0..2).map(spin).collect();
    app.running(2).await;
    let answer = app.call(&User::Is(BOB), "clock", json!({})).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (503, Some("busy")), "{}", answer.text);
    assert_eq!(app.get(&User::Nobody, "/healthz").await.status, 200);
    calls.iter().for_each(tokio::task::JoinHandle::abort);
    app.settled().await;
    assert_eq!(app.call(&User::Is(BOB), "clock", json!({})).await.status, 200);
    assert_eq!(app.audit_of(&answer).await["blame"], "host");
}
