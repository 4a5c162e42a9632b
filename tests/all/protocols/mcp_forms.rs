//! The forms of messages and answers at `/mcp`: who does not ask for events gets JSON, and what is malformed gets JSON-RPC's own codes.

use behalf_tests::{ALICE, App, User, guests};
use reqwest::{Method, Response};
use serde_json::{Value, json};

const BOTH: &str = "application/json, text/event-stream";

fn call(tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call",
        "params": {"name": tool, "arguments": {}, "_meta": {"progressToken": "p"}}})
}

async fn send(app: &App, headers: &[(&str, &str)], body: String) -> Response {
    let mut request = app.request(&User::Is(ALICE), Method::POST, "/mcp").body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// The status of an answer and its JSON, as which it must come.
async fn json_of(what: &str, response: Response) -> (u16, Value) {
    let kind = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    assert_eq!(kind.as_deref(), Some("application/json"), "{what}: {text}");
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{what}: {error}: {text}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_ask_for_events_is_answered_with_json() {
    let app = App::start().await;
    app.install(guests::CONTENT, &json!({})).await;
    let plain = ("content-type", "application/json");
    // The tool reports progress, which only a stream can carry.
    let message = call("test_tool_with_progress").to_string();
    for accept in
        [None, Some("*/*"), Some("application/json"), Some("application/*"), Some("text/event-stream;q=0, */*")]
    {
        let headers: Vec<_> = accept.map(|accept| ("accept", accept)).into_iter().chain([plain]).collect();
        let (status, answer) = json_of(&format!("{accept:?}"), send(&app, &headers, message.clone()).await).await;
        assert_eq!((status, &answer["id"], &answer["result"]["isError"]), (200, &json!(7), &json!(false)), "{answer}");
    }
    let streamed = send(&app, &[("accept", BOTH), plain], message.clone()).await;
    assert_eq!(streamed.headers()["content-type"], "text/event-stream");
    let text = streamed.text().await.unwrap();
    assert!(text.contains("notifications/progress") && text.contains(r#""isError":false"#), "{text}");
    for accept in ["text/html", "text/event-stream", "application/json;q=0"] {
        let (status, answer) = json_of(accept, send(&app, &[("accept", accept), plain], message.clone()).await).await;
        assert_eq!((status, &answer["error"]["code"]), (406, &json!(-32600)), "{accept}: {answer}");
    }
    let (status, answer) = json_of("text", send(&app, &[("content-type", "text/plain")], message).await).await;
    assert_eq!((status, &answer["error"]["code"]), (415, &json!(-32600)), "{answer}");
    assert_eq!(app.audit().await.len(), 6, "what was refused called nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_message_is_answered_with_the_code_of_its_fault() {
    let app = App::start().await;
    let headers = [("accept", BOTH), ("content-type", "application/json")];
    for (body, status, code, id) in [
        ("", 400, -32700, json!(null)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method""#, 400, -32700, json!(null)),
        ("[]", 400, -32600, json!(null)),
        (r#"[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]"#, 400, -32600, json!(null)),
        (r#""ping""#, 400, -32600, json!(null)),
        (r#"{"id": 1, "method": "ping"}"#, 400, -32600, json!(1)),
        (r#"{"jsonrpc": "1.0", "id": 1, "method": "ping"}"#, 400, -32600, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": "a", "method": 7}"#, 400, -32600, json!("a")),
        (r#"{"jsonrpc": "2.0", "id": {}, "method": "ping"}"#, 400, -32600, json!(null)),
        (r#"{"jsonrpc": "2.0", "id": 1, "result": {}}"#, 400, -32600, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "no/such"}"#, 200, -32601, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}"#, 200, -32602, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}"#, 200, -32602, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 1}}"#, 200, -32602, json!(1)),
        (
            r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "database_query", "arguments": "x"}}"#,
            200,
            -32602,
            json!(1),
        ),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "none"}}"#, 200, -32602, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"cursor": 5}}"#, 200, -32602, json!(1)),
        (r#"{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}"#, 200, -32602, json!(1)),
    ] {
        let (got, answer) = json_of(body, send(&app, &headers, body.to_owned()).await).await;
        assert_eq!((got, &answer["error"]["code"], &answer["id"]), (status, &json!(code), &id), "{body}: {answer}");
        assert_eq!(answer["jsonrpc"], "2.0", "{body}");
        assert!(answer["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}: {answer}");
    }
    // What is refused before the message is read is JSON as well.
    let ping = r#"{"jsonrpc": "2.0", "id": 1, "method": "ping"}"#.to_owned();
    let page = [headers[0], headers[1], ("origin", "https://evil.example")];
    let (status, answer) = json_of("a page", send(&app, &page, ping.clone()).await).await;
    assert_eq!((status, &answer["error"]["code"]), (403, &json!(-32600)), "{answer}");
    let (status, answer) = json_of("ping", send(&app, &headers, ping).await).await;
    assert!(status == 200 && answer["result"].is_object(), "{answer}");
    let told = r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#.to_owned();
    assert_eq!(send(&app, &headers, told).await.status(), 202);
    assert!(app.audit().await.is_empty(), "nothing was called");
}
