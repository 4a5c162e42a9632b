//! How calls end: crashes, endless loops, and results that are too large or malformed.

use behalf_tests::{App, guests};
use serde_json::json;

use super::{
    DEADLINE, HOST_CALLS, MEMORY, NOT_JSON, OUTPUT, SHORT, TOOL_ERROR, TRAPPED, ends, goes_well, limits, short,
};

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
