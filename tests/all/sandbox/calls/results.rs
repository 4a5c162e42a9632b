//! Results: what does not fit the tool's own schema is the tool's failure, and no number loses a digit on its way.

use behalf_tests::{ALICE, App, User, guests, write_grants};
use reqwest::Method;
use serde_json::{Value, json};

use super::{MISFIT, SHORT, count, database, ends, goes_well};

fn write(title: &str, result: &Value) -> Value {
    json!({"sql": format!("insert into notes (title, body) values ('{title}', '')"), "result": result})
}

/// A result of MCP's `tools/call`.
async fn over_mcp(app: &App, tool: &str, arguments: &str) -> Value {
    let body = format!(
        r#"{{"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {{"name": "{tool}", "arguments": {arguments}}}}}"#
    );
    let request = app.request(&User::Is(ALICE), Method::POST, "/mcp").header("content-type", "application/json");
    let request = request.header("accept", "application/json, text/event-stream").body(body);
    let response = request.header("mcp-protocol-version", "2025-06-18").send().await.unwrap();
    let text = response.text().await.unwrap();
    let json = text.lines().find_map(|line| line.strip_prefix("data:")).unwrap_or(&text);
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The body of a call over `/api`, with its status; sent and read as text, so that this side rounds nothing either.
async fn over_api(app: &App, tool: &str, arguments: &str) -> (u16, String) {
    let path = format!("/api/tools/{tool}/call");
    let request = app.request(&User::Is(ALICE), Method::POST, &path).header("content-type", "application/json");
    let response = request.body(format!(r#"{{"arguments": {arguments}}}"#)).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_does_not_fit_the_tools_schema_fails_the_call() {
    let app = App::start().await;
    app.install(guests::PROBE, &database(SHORT)).await;
    for (result, place) in [
        (json!({"n": "seven"}), "/n: "),
        (json!({"m": 7}), "/: "),
        (json!([7]), "/: "),
        (json!(null), "/: "),
        (json!({"n": null}), "/n: "),
    ] {
        let answer = ends(&app, "write_then_misfit", write("misfit", &result), MISFIT).await;
        let detail = answer.json["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("does not fit its outputSchema") && detail.contains(place), "{result}: {detail}");
        assert_eq!(count(&app, "misfit").await, 0, "{result}");
        // The audit log has no part of the result.
        let row = app.audit_of(&answer).await;
        assert!(!row["detail"].as_str().unwrap_or_default().contains("seven"), "{row}");
    }
    assert_eq!(goes_well(&app, "write_then_misfit", write("fits", &json!({"n": 7}))).await, json!({"n": 7}));
    assert_eq!(count(&app, "fits").await, 1);

    let misfit = over_mcp(&app, "write_then_misfit", &write("misfit", &json!({"n": "seven"})).to_string()).await;
    assert_eq!(misfit["result"]["isError"], true, "{misfit}");
    assert!(misfit["result"].get("structuredContent").is_none_or(Value::is_null), "{misfit}");
    let fits = over_mcp(&app, "write_then_misfit", &write("fits", &json!({"n": 8})).to_string()).await;
    assert_eq!(fits["result"]["structuredContent"], json!({"n": 8}), "{fits}");
}

/// Numbers that a double would round.
const LONG: [&str; 5] =
    ["12345678901234567.89", "1e309", "18446744073709551616", "123456789012345678901234567890", "-1e-400"];

#[tokio::test(flavor = "multi_thread")]
async fn an_argument_that_would_be_rounded_is_refused_with_its_place() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    for number in LONG {
        let arguments = format!(r#"{{"table": "notes", "operation": "insert", "data": {{"title": [1, {number}]}}}}"#);
        let (status, text) = over_api(&app, "database_write", &arguments).await;
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &json["code"]), (400, &json!("invalid_arguments")), "{number}: {text}");
        assert_eq!(json["faults"][0]["pointer"], "/data/title/1", "{text}");
        let told = json["faults"][0]["message"].as_str().unwrap_or_default();
        assert!(told.contains(number) && told.contains("send it as a string"), "{told}");
        let answer = over_mcp(&app, "database_write", &arguments).await;
        assert_eq!(answer["error"]["code"], -32602, "{number}: {answer}");
        assert!(answer["error"]["message"].as_str().unwrap_or_default().contains("/data/title/1"), "{answer}");
    }
    // Numbers that are held go through: 64 bits, and fractions as other programs print them.
    let held = r#"{"query": "select $1::int8::text, $2::numeric::text, $3::float8::text",
        "params": [9223372036854775807, 18446744073709551615, 0.10000000000000001]}"#;
    let (status, text) = over_api(&app, "database_query", held).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("9223372036854775807") && text.contains("18446744073709551615"), "{text}");
    assert!(text.contains(r#""0.1""#), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_in_a_result_keeps_its_digits_or_is_refused() {
    let app = App::start().await;
    app.install(guests::PROBE, &write_grants()).await;
    for number in LONG {
        // Postgres writes numbers of jsonb without an exponent.
        let written: String = app.database.value(&format!("select '{number}'::jsonb::text")).await;
        let query = json!({ "query": format!("select '{{\"a\": [{number}]}}'::jsonb as doc, array['{number}'::jsonb] as docs") });
        let (status, text) = over_api(&app, "database_query", &query.to_string()).await;
        assert_eq!(status, 200, "{number}: {text}");
        assert_eq!(text.matches(written.as_str()).count(), 2, "{number}: {text}");
        let answer = over_mcp(&app, "database_query", &query.to_string()).await;
        assert_eq!(answer["result"]["isError"], true, "as data it would be rounded: {answer}");
        let told = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(told.contains("would be rounded"), "{told}");
        // As a string the same number goes both ways.
        let query =
            json!({"query": "select $1::numeric::text as n, $2::jsonb as doc", "params": [number, {"n": number}]});
        let answer = over_mcp(&app, "database_query", &query.to_string()).await;
        assert_eq!(answer["result"]["structuredContent"]["result"][0]["doc"]["n"], number, "{answer}");
    }
}
