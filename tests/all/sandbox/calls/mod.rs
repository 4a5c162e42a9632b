//! Calls of tools that misbehave: each ends as documented, disturbs no other user, and leaves nothing behind.

mod commits;
mod concurrent;
mod endings;
mod results;
mod scopes;
mod surroundings;
mod transactions;

use behalf_tests::{ALICE, Answer, App, BOB, User, write_grants};
use serde_json::{Value, json};

/// How a call ends: status, outcome and blame of its audit row.
type End = (u16, &'static str, &'static str);

const DEADLINE: End = (408, "deadline", "guest");

const TRAPPED: End = (502, "trapped", "guest");

const NOT_JSON: End = (502, "not_json", "guest");

const MEMORY: End = (507, "memory_limit", "guest");

const OUTPUT: End = (507, "output_limit", "guest");

const HOST_CALLS: End = (507, "host_call_limit", "guest");

const TOOL_ERROR: End = (422, "tool_error", "guest");

const MISFIT: End = (422, "invalid_result", "guest");

const NOT_GRANTED: End = (403, "not_granted", "host");

const NOT_COMMITTED: End = (422, "commit_failed", "guest");

/// A time limit in milliseconds that only endless calls reach.
const SHORT: u64 = 1_500;

/// A time limit in milliseconds that no call reaches.
const LONG: u64 = 120_000;

fn limits(timeout_ms: u64) -> Value {
    json!({ "limits": { "timeout_ms": timeout_ms } })
}

fn database(timeout_ms: u64) -> Value {
    let mut grants = write_grants();
    grants["limits"] = json!({ "timeout_ms": timeout_ms });
    grants
}

/// Calls the tool as Alice, and checks that the call ends so, that Bob is served right after, and that nothing is left.
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

/// Calls the tool as Alice, and checks that the call succeeds and that nothing is left.
async fn goes_well(app: &App, tool: &str, arguments: Value) -> Value {
    let answer = app.call(&User::Is(ALICE), tool, arguments.clone()).await;
    assert_eq!(answer.status, 200, "{tool} {arguments}: {}", short(&answer.text));
    app.settled().await;
    answer.json["result"].clone()
}

/// Checks that a database query of another user gives the right answer.
async fn bob_is_served(app: &App) {
    let answer = app.call(&User::Is(BOB), "database_query", json!({"query": "select title from notes"})).await;
    assert_eq!(answer.result(), &json!([{"title": "Car"}]));
}

async fn count(app: &App, title: &str) -> i64 {
    app.database.value(&format!("select count(*) from notes where title = '{title}'")).await
}

fn short(text: &str) -> String {
    text.chars().take(300).collect()
}
