//! What the host keeps for a tool counts as the tool's memory: the call ends with a message that names the limit, the process
//! stays small, and the audit row says how much there was.

use behalf_tests::{ALICE, Answer, App, User, guests};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// The most by which this process, which is the host, may grow in a call with this limit. What does not count as memory of the
/// tool is its code, its stack and a thread or two.
const GROWTH: u64 = 192 * MIB;

fn grants(memory: u64) -> Value {
    json!({
        "database": {"access": "read", "schemas": ["public"]},
        "http": {"hosts": ["api.example.com"]},
        "files": {"workspace": "call"},
        "limits": {"memory_bytes": memory, "timeout_ms": 60_000},
    })
}

async fn app(memory: u64) -> App {
    let app = App::start().await;
    app.install(guests::MEMORY, &grants(memory)).await;
    // The first call compiles.
    assert_eq!(app.call(&User::Is(ALICE), "keep_fields", json!({})).await.result(), &json!({"fields": 0}));
    app
}

/// The most memory that this process had, in bytes.
fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

async fn memory_of(app: &App, answer: &Answer) -> u64 {
    app.settled().await;
    app.audit_of(answer).await["memory_bytes"].as_u64().unwrap()
}

/// The memory of a call that succeeds.
async fn memory(app: &App, tool: &str, arguments: Value) -> u64 {
    let answer = app.call(&User::Is(ALICE), tool, arguments).await;
    assert_eq!(answer.status, 200, "{tool}: {}", answer.text);
    memory_of(app, &answer).await
}

/// Calls a tool that lets the host keep more than it may, and checks how that ends. It returns how much there was.
async fn goes_beyond(app: &App, limit: u64, tool: &str, arguments: Value) -> u64 {
    let before = high_water();
    let answer = app.call(&User::Is(ALICE), tool, arguments.clone()).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (507, Some("memory_limit")), "{tool}: {}", answer.text);
    assert!(answer.text.contains(&format!("{limit} bytes")), "{}", answer.text);
    let grown = high_water() - before;
    assert!(grown < GROWTH, "{tool} {arguments} took {} MiB", grown / MIB);
    let kept = memory_of(app, &answer).await;
    assert!(kept <= limit, "{tool} {arguments} had {kept} bytes");
    let row = app.audit_of(&answer).await;
    assert_eq!((&row["outcome"], &row["blame"]), (&json!("memory_limit"), &json!("guest")), "{row}");
    kept
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_wait_count_as_the_tools_memory() {
    let app = app(64 * MIB).await;
    let kept = goes_beyond(&app, 64 * MIB, "keep_bodies", json!({"count": 950, "bytes": 2 * MIB})).await;
    assert!(kept > 60 * MIB, "the audit row says {kept} bytes");
    // Few of them are no matter, and those of one call are gone before the next.
    for _ in 0..3 {
        let kept = memory(&app, "keep_bodies", json!({"count": 100, "bytes": 2 * MIB})).await;
        assert!((10 * MIB..32 * MIB).contains(&kept), "{kept}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_methods_and_trailers_count_as_the_tools_memory() {
    let app = app(16 * MIB).await;
    for (tool, bytes) in [("keep_fields", 100_000), ("keep_methods", MIB), ("keep_trailers", 100_000)] {
        let kept = goes_beyond(&app, 16 * MIB, tool, json!({"count": 900, "bytes": bytes})).await;
        assert!(kept > 12 * MIB, "{tool}: the audit row says {kept} bytes");
        let few = memory(&app, tool, json!({"count": 10, "bytes": 100_000})).await;
        let none = memory(&app, tool, json!({"count": 0, "bytes": 100_000})).await;
        assert!((900_000..3_000_000).contains(&(few - none)), "{tool}: {none} and {few} bytes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_on_their_way_count_as_the_tools_memory() {
    let app = app(10 * MIB).await;
    let rows = |count: u64| json!({"sql": format!("select repeat('x', 500000) from generate_series(1, {count})")});
    // Three megabytes would be memory enough for the tool; the host has them more than once.
    goes_beyond(&app, 10 * MIB, "keep_rows", rows(6)).await;
    let kept = memory(&app, "keep_rows", rows(2)).await;
    assert!((4 * MIB..10 * MIB).contains(&kept), "{kept}");
    // Small values take more memory than text.
    let narrow = json!({"sql": format!("select {}1 from generate_series(1, 1000)", "1, ".repeat(249))});
    goes_beyond(&app, 10 * MIB, "keep_rows", narrow).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_count_as_the_tools_memory_and_handles_are_counted() {
    let app = app(32 * MIB).await;
    let kept = goes_beyond(&app, 32 * MIB, "keep_readers", json!({"count": 700})).await;
    assert!(kept > 30 * MIB, "the audit row says {kept} bytes");
    let some = memory(&app, "keep_readers", json!({"count": 100})).await;
    let few = memory(&app, "keep_readers", json!({"count": 1})).await;
    assert!(some - few >= 99 * (1 << 16), "{few} and {some} bytes");
    let answer = app.call(&User::Is(ALICE), "keep_pollables", json!({"count": 10_000})).await;
    assert_eq!((answer.status, answer.json["code"].as_str()), (507, Some("handle_limit")), "{}", answer.text);
    assert!(answer.text.contains("1000 handles"), "{}", answer.text);
    assert!(memory_of(&app, &answer).await < 8 * MIB);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_and_reports_count_as_the_tools_memory() {
    let app = app(16 * MIB).await;
    for (tool, kept) in [("log_lines", 60_000), ("print_lines", 30_000)] {
        let none = memory(&app, tool, json!({"count": 0, "bytes": 1000})).await;
        let many = memory(&app, tool, json!({"count": 1000, "bytes": 1000})).await;
        assert!((kept..8 * MIB).contains(&(many - none)), "{tool}: {none} and {many} bytes");
    }
    let none = memory_of_report(&app, 0).await;
    let many = memory_of_report(&app, 1000).await;
    assert!((1_000..MIB).contains(&(many - none)), "{none} and {many} bytes");
}

/// The memory of a call through `/mcp`, where a client listens to reports.
async fn memory_of_report(app: &App, count: u64) -> u64 {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "reports", "arguments": {"count": count, "bytes": 1000}, "_meta": {"progressToken": "t"},
    }});
    let request = app.request(&User::Is(ALICE), reqwest::Method::POST, "/mcp");
    let answer = request.header("accept", "application/json, text/event-stream").json(&call).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap();
    app.settled().await;
    let rows = app.audit().await;
    let row = rows.iter().find(|row| row["tool"] == "reports").unwrap();
    row["memory_bytes"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_calls_at_once_keep_what_their_limits_allow() {
    let app = app(16 * MIB).await;
    let before = high_water();
    let alice = User::Is(ALICE);
    let calls = (0..16).map(|_| app.call(&alice, "keep_bodies", json!({"count": 950, "bytes": 2 * MIB})));
    for answer in futures::future::join_all(calls).await {
        assert_eq!(answer.json["code"], "memory_limit", "{}", answer.text);
    }
    let grown = high_water() - before;
    assert!(grown < 16 * 16 * MIB + GROWTH, "16 calls took {} MiB", grown / MIB);
}
