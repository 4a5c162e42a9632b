//! The events of a run that is streamed, and the answer to one that failed.

use behalf_tests::sse::{Event, read_events};
use behalf_tests::{ALICE, App, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::json;

use super::{agent, app, assert_fields};

/// Checks an event's fields. Events of the run loop also have their name as `type`, a number and a time.
fn assert_event(event: &Event, expected: &str) {
    let common = if event.name().ends_with("_delta") { "event" } else { "event type seq ts" };
    assert_fields(&event.data, &format!("{common} {expected}"));
    if event.data.get("type").is_some() {
        assert_eq!(event.data["type"], event.data["event"]);
        assert_eq!(event.id, Some(event.data["seq"].to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_have_the_platforms_fields_and_order() {
    let query = json!({"query": "select title from notes"});
    let turns = [Turn::Call(vec![("database_query", query)]), Turn::Think("Hm.", "Tomatoes.")];
    let (app, _model) = app(turns).await;
    let agent = agent(&app).await;
    let tool = json!({"tool_type": "builtin", "tool_name": "database_query"});
    app.post(&User::Service, &format!("/api/agents/{agent}/tools"), tool).await;
    let path = format!("/api/agents/{agent}/run/stream");
    let request = app.request(&User::Is(ALICE), Method::POST, &path).json(&json!({"message": "What is there?"}));
    let events = read_events(request.send().await.unwrap()).await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    let order = [
        "start",
        "step_started",
        "tool_call",
        "tool_result",
        "step_completed",
        "step_started",
        "reasoning_delta",
        "content_delta",
        "reasoning",
        "step_completed",
        "chunk",
        "complete",
    ];
    assert_eq!(names, order);
    for (place, event) in events.iter().enumerate() {
        assert_eq!(event.id, Some((place + 1).to_string()), "{names:?}");
        assert_event(
            event,
            match event.name() {
                "start" => "run_id session_id context_handler_id reasoning_requested",
                "step_started" => "step is_last_step",
                "tool_call" => "step tool_name arguments call_id",
                "tool_result" => "step tool_name call_id result_preview result result_meta duration_ms",
                "step_completed" => "step finish_reason has_tool_calls",
                "reasoning_delta" => "step source delta",
                "reasoning" => "step source content",
                "content_delta" => "delta",
                "chunk" => "content",
                "complete" => {
                    "run_id session_id context_handler_id content status steps tool_calls usage error is_new_session \
                 retrieved_items"
                }
                other => panic!("{other}"),
            },
        );
    }
    let (result, end) = (&events[3].data, &events[11].data);
    assert!(result["result"].as_str().unwrap().starts_with(result["result_preview"].as_str().unwrap()));
    for field in ["step", "tool_name", "arguments", "result", "duration_ms"] {
        assert!(end["tool_calls"][0].get(field).is_some(), "{end}");
    }
    let (run, session) = (end["run_id"].as_str().unwrap(), end["session_id"].as_str().unwrap());
    let messages = app.get(&User::Is(ALICE), &format!("/api/sessions/{session}/messages")).await;
    let said = &messages.json["messages"][1];
    assert_fields(said, "role content run_id timestamp reasoning reasoning_requested reasoning_duration_ms");
    assert_eq!((&said["reasoning"], &said["reasoning_requested"]), (&json!("Hm."), &json!(false)));
    assert!(said["reasoning_duration_ms"].is_u64() && said["run_id"] == run, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_said_in_both_spellings() {
    let model = ScriptedModel::start([]).await;
    let settings = vec![
        ("model_base_url", model.url.replace("/v1", "/nowhere")),
        ("model_api_key", "a-key".to_owned()),
        ("model_default", "openai/scripted".to_owned()),
    ];
    let app = App::with(Options { settings }).await;
    let path = format!("/api/agents/{}/run", agent(&app).await);
    let failed = app.post(&User::Is(ALICE), &path, json!({"message": "hi"})).await;
    assert_eq!(failed.status, 500, "{}", failed.text);
    assert!(failed.json["error"].is_string() && failed.json["run_id"].as_str().unwrap().starts_with("run_"));
    let request =
        app.request(&User::Is(ALICE), Method::POST, &format!("{path}/stream")).json(&json!({"message": "hi"}));
    let events = read_events(request.send().await.unwrap()).await;
    let names: Vec<_> = events.iter().map(Event::name).collect();
    assert_eq!(names, ["start", "step_started", "error", "complete"]);
    assert_event(&events[2], "run_id error message");
    assert_eq!(events[2].data["error"], events[2].data["message"]);
    assert_eq!((&events[3].data["status"], &events[3].data["error"]), (&json!("failed"), &events[2].data["error"]));
    let session = events[3].data["session_id"].as_str().unwrap();
    let messages = app.get(&User::Is(ALICE), &format!("/api/sessions/{session}/messages")).await;
    assert_eq!(messages.json["messages"], json!([]), "completed runs only");
}
