//! The platform's endpoints, one by one: which fields they have, what they say, and what they say when something is wrong.
//! Fields that this host adds are named as such; a field that is missing, or new and not named here, fails.

use std::collections::BTreeSet;

use behalf_tests::sse::{Event, read_events};
use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::{Value, json};

const AGENT: &str = "id name model system_prompt settings created_at updated_at";
const SESSION: &str = "id session_id agent_id user_id session_data metadata created_at updated_at";
const RUN: &str = "id run_id session_id parent_orchestration_run_id parent_workflow_execution_id status input_messages \
    output_messages content usage retrieved_context error started_at completed_at steps events tool_calls reasoning_steps \
    created_at";
/// What this host says of a run beyond that.
const RUN_MORE: &str = "agent_id user_id actor model is_new_session parent_run_id waiting_for";
const ANSWER: &str = "run_id session_id context_handler_id content error usage retrieved_items status is_new_session";
const NOBODYS: &str = "00000000-0000-4000-8000-000000000000";

async fn app(turns: impl IntoIterator<Item = Turn>) -> (App, ScriptedModel) {
    let model = ScriptedModel::start(turns).await;
    let settings = vec![
        ("model_base_url", model.url.clone()),
        ("model_api_key", "a-key".to_owned()),
        ("model_default", "openai/scripted".to_owned()),
    ];
    (App::with(Options { settings }).await, model)
}

fn assert_fields(value: &Value, expected: &str) {
    let expected: BTreeSet<_> = expected.split_whitespace().collect();
    let found: BTreeSet<_> =
        value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect();
    assert_eq!(found, expected, "{value}");
}

async fn agent(app: &App) -> String {
    let made = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await;
    made.json["id"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned()
}

async fn refused(app: &App, user: &User, method: Method, path: &str, body: Value, status: u16, error: &str) {
    let answer = app.send(user, method.clone(), path, body.clone()).await;
    assert_eq!((answer.status, answer.json["error"].as_str()), (status, Some(error)), "{method} {path} {body}");
    assert_eq!(answer.json["detail"], answer.json["error"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn agents_have_the_platforms_shapes() {
    let (app, _model) = app([]).await;
    let service = &User::Service;
    let health = app.get(&User::Nobody, "/api/health").await;
    assert_eq!(health.json, json!({"status": "healthy", "service": "project-service"}));
    let body =
        json!({"name": "100% Helper", "system_prompt": "Help.", "settings": {"temperature": 0.5}, "colour": "red"});
    let made = app.post(service, "/api/agents", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_fields(&made.json, "id name model system_prompt settings");
    assert_eq!(
        (&made.json["model"], &made.json["settings"]),
        (&json!("openai/scripted"), &json!({"temperature": 0.5}))
    );
    let path = format!("/api/agents/{}", made.json["id"].as_str().unwrap());
    let shown = app.get(service, &path).await;
    assert_fields(&shown.json, AGENT);
    let changed = app.send(service, Method::PATCH, &path, json!({"settings": {"max_steps": 3}})).await;
    assert_fields(&changed.json, AGENT);
    assert_eq!((&changed.json["settings"], &changed.json["name"]), (&json!({"max_steps": 3}), &json!("100% Helper")));
    app.post(service, "/api/agents", json!({"name": "another"})).await;

    let list = app.get(service, "/api/agents?sort=name&order=asc&limit=1&offset=0").await;
    assert_fields(&list.json, "agents total limit offset");
    assert_eq!((&list.json["total"], &list.json["limit"], &list.json["offset"]), (&json!(2), &json!(1), &json!(0)));
    assert_fields(&list.json["agents"][0], &format!("{AGENT} session_count total_runs last_run_at"));
    assert_eq!(list.json["agents"][0]["name"], "100% Helper");
    let defaults = app.get(service, "/api/agents").await;
    assert_eq!((&defaults.json["limit"], &defaults.json["agents"][0]["name"]), (&json!(50), &json!("another")));
    for (query, limit, total) in [("limit=1000", 100, 2), ("limit=0", 1, 2), ("q=100%25", 50, 1), ("q=a_o", 50, 0)] {
        let list = app.get(service, &format!("/api/agents?{query}")).await;
        assert_eq!(
            (&list.json["limit"], &list.json["total"]),
            (&json!(limit), &json!(total)),
            "{query}: {}",
            list.text
        );
    }
    let long = "x".repeat(201);
    for query in ["sort=model", "order=up", "limit=many", &format!("q={long}")] {
        assert_eq!(app.get(service, &format!("/api/agents?{query}")).await.status, 400, "{query}");
    }
    refused(&app, service, Method::POST, "/api/agents", json!({"model": "x"}), 400, "Name is required").await;
    let missing = format!("/api/agents/{NOBODYS}");
    refused(&app, service, Method::PATCH, &path, json!({"colour": 1}), 400, "No valid fields to update").await;
    refused(&app, service, Method::PATCH, &missing, json!({"name": "x"}), 404, "Agent not found").await;
    refused(&app, service, Method::GET, "/api/agents/not-a-uuid", Value::Null, 404, "Agent not found").await;
    for _ in 0..2 {
        let deleted = app.send(service, Method::DELETE, &path, Value::Null).await;
        assert_eq!((deleted.status, deleted.json), (200, json!({"message": "Agent deleted"})));
    }
    let only = "This endpoint requires the project's service role key";
    refused(&app, &User::Is(ALICE), Method::GET, "/api/agents", Value::Null, 403, only).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn assignments_of_tools_have_the_platforms_shapes() {
    let (app, _model) = app([]).await;
    let service = &User::Service;
    let path = format!("/api/agents/{}/tools", agent(&app).await);
    let body = json!({"tool_type": "builtin", "tool_name": "database_query", "config_override": {"query": "select 1"}});
    let made = app.post(service, &path, body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_fields(&made.json, "id tool_name");
    let list = app.get(service, &path).await;
    assert_fields(&list.json, "tools");
    let one = &list.json["tools"][0];
    let (fields, more) = ("id tool_type tool_name tool_id config_override", "approval callee_id");
    assert_fields(one, &format!("{fields} {more}"));
    assert_eq!((&one["tool_id"], &one["tool_name"]), (&Value::Null, &json!("database_query")));
    let own = format!("{path}/{}", made.json["id"].as_str().unwrap());
    let changed = app.send(service, Method::PATCH, &own, json!({"tool_name": "ignored"})).await;
    assert_eq!((changed.status, &changed.json["config_override"]), (200, &json!({"query": "select 1"})));
    let changed = app.send(service, Method::PATCH, &own, json!({"config_override": {}})).await;
    assert_fields(&changed.json, &format!("{fields} {more}"));
    assert_eq!(changed.json["config_override"], json!({}));
    assert_eq!(app.post(service, &path, body).await.status, 409);
    for bad in [json!({"tool_type": "builtin"}), json!({"tool_name": ""}), json!({})] {
        assert_eq!(app.post(service, &path, bad).await.status, 400);
    }
    // What would restrict nothing is not taken for a restriction.
    for schemas in [json!({"pg_catalog": ["pg_class"]}), json!({"1a": ["x"]}), json!({"public": ["notes"]}), json!([])]
    {
        let body = json!({"config_override": {"schemas": schemas}});
        assert_eq!(app.send(service, Method::PATCH, &own, body).await.status, 400, "{schemas}");
    }
    let missing = format!("{path}/{NOBODYS}");
    refused(&app, service, Method::PATCH, &missing, json!({}), 404, "Tool assignment not found").await;
    refused(&app, service, Method::DELETE, &missing, Value::Null, 404, "Assignment not found").await;
    let deleted = app.send(service, Method::DELETE, &own, Value::Null).await;
    assert_eq!((deleted.status, deleted.json), (200, json!({"deleted": true})));
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_are_listed_in_the_platforms_shape() {
    let (app, _model) = app([]).await;
    let list = app.get(&User::Is(ALICE), "/api/tools").await;
    assert_fields(&list.json, "tools");
    let tools = list.json["tools"].as_array().unwrap();
    let query = tools.iter().find(|tool| tool["name"] == "database_query").unwrap();
    assert_fields(query, "id type name description input_schema config title output_schema annotations plugin");
    assert_eq!((&query["id"], &query["config"]), (&Value::Null, &json!({})));
    refused(&app, &User::Is(ALICE), Method::GET, "/api/tools/no_such_tool", Value::Null, 404, "Tool not found").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_have_the_platforms_shapes_for_users_and_for_the_service_role() {
    let (app, _model) = app([]).await;
    let agent = format!("/api/agents/{}", agent(&app).await);
    for user in [User::Is(ALICE), User::ServiceFor(ALICE), User::Service] {
        let made = app.post(&user, &format!("{agent}/run"), json!({"message": "Hello there"})).await;
        assert_eq!(made.status, 200, "{}", made.text);
        assert_fields(&made.json, &format!("{ANSWER} steps tool_calls"));
        assert_eq!((&made.json["status"], &made.json["is_new_session"]), (&json!("completed"), &json!(true)));
        assert_eq!((&made.json["error"], &made.json["retrieved_items"]), (&Value::Null, &json!([])));
        let (run, session) = (made.json["run_id"].as_str().unwrap(), made.json["session_id"].as_str().unwrap());
        assert!(run.starts_with("run_") && run.len() == 16 && session.starts_with("sess_") && session.len() == 17);
        let again = json!({"message": "And again", "session_id": session});
        assert_eq!(app.post(&user, &format!("{agent}/run"), again).await.json["is_new_session"], false);

        let row = app.get(&user, &format!("/api/agents/runs/{run}")).await;
        assert_fields(&row.json, &format!("{RUN} {RUN_MORE}"));
        assert_eq!(row.json["input_messages"], json!([{"role": "user", "content": "Hello there"}]));
        let session = format!("/api/sessions/{session}");
        let shown = app.get(&user, &session).await;
        assert_fields(&shown.json, SESSION);
        let messages = app.get(&user, &format!("{session}/messages")).await;
        assert_fields(&messages.json, "session_id messages");
        let roles: Vec<_> =
            messages.json["messages"].as_array().unwrap().iter().map(|one| one["role"].as_str()).collect();
        assert_eq!(roles, [Some("user"), Some("assistant"), Some("user"), Some("assistant")]);
        assert_fields(&messages.json["messages"][0], "role content run_id timestamp");
        assert_fields(&messages.json["messages"][1], "role content run_id timestamp reasoning_requested");
        let newest = app.get(&user, &format!("{session}/messages?limit=1")).await;
        assert_eq!(newest.json["messages"], json!([messages.json["messages"][3]]));
        let runs = app.get(&user, &format!("{session}/runs?limit=1&offset=0")).await;
        assert_fields(&runs.json, "session_id runs limit offset");
        assert_fields(&runs.json["runs"][0], &format!("{RUN} {RUN_MORE}"));
        assert_eq!(runs.json["runs"][0]["run_id"], run, "the oldest comes first");
        let context = app.get(&user, &format!("{session}/runs/{run}/retrieved-context")).await;
        let id = session.trim_start_matches("/api/sessions/");
        assert_eq!(context.json, json!({"session_id": id, "run_id": run, "retrieved_context": []}));
        let missing = format!("{session}/runs/run_000000000000/retrieved-context");
        refused(&app, &user, Method::GET, &missing, Value::Null, 404, "Run not found").await;

        let list = app.get(&user, &format!("{agent}/sessions")).await;
        assert_fields(&list.json, "sessions total limit offset");
        assert_fields(&list.json["sessions"][0], "session_id run_count last_activity_at created_at first_message");
        assert_eq!(list.json["sessions"][0]["first_message"], "Hello there");
        let deleted = app.send(&user, Method::DELETE, &session, Value::Null).await;
        assert_eq!((deleted.status, &deleted.json["success"]), (200, &json!(true)));
        assert_fields(&deleted.json, "success message");
        refused(&app, &user, Method::GET, &session, Value::Null, 404, "Session not found").await;
        let made = app.post(&user, &format!("{agent}/sessions"), json!({})).await;
        assert_fields(&made.json, "session_id");
        let own = format!("{agent}/sessions/{}", made.json["session_id"].as_str().unwrap());
        let deleted = app.send(&user, Method::DELETE, &own, Value::Null).await;
        assert_eq!((deleted.status, deleted.text.as_str()), (204, ""));
        refused(&app, &user, Method::DELETE, &own, Value::Null, 404, "Session not found").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_sessions_are_searched_and_bounded() {
    let (app, _model) = app([]).await;
    let agent = format!("/api/agents/{}", agent(&app).await);
    let seeds = |question: &str| {
        json!({"user_id": ALICE, "initial_messages": [
            {"role": "user", "content": question}, {"role": "assistant", "content": "An answer"}]})
    };
    let path = format!("{agent}/sessions");
    for question in ["About 50% of taxes", "About gardens"] {
        assert_eq!(app.post(&User::Service, &path, seeds(question)).await.status, 201);
    }
    assert_eq!(app.post(&User::Is(ALICE), &path, json!({})).await.status, 201);
    for (query, total) in [
        ("", 3),
        ("search=gardens", 1),
        ("search=50%25%20of", 1),
        ("search=%25", 1),
        ("search=ANSWER", 2),
        ("min_runs=1", 2),
        ("max_runs=0", 1),
        ("created_after=2020-01-01", 3),
        ("created_after=2020-01-01T00:00:00", 3),
        ("created_before=2020-01-01T00:00:00%2B02:00", 0),
        ("created_after=2999-01-01T00:00:00Z", 0),
        ("limit=1&offset=2", 3),
    ] {
        let list = app.get(&User::Is(ALICE), &format!("{path}?{query}")).await;
        assert_eq!(list.json["total"], total, "{query}: {}", list.text);
    }
    assert_eq!(app.get(&User::Is(ALICE), &format!("{path}?limit=1000")).await.json["limit"], 200);
    assert_eq!(app.get(&User::Is(BOB), &path).await.json["total"], 0);
    assert_eq!(app.get(&User::Is(ALICE), &format!("{path}?created_after=soon")).await.status, 400);
    let seeded = app.get(&User::Is(ALICE), &format!("{path}?search=gardens")).await;
    let session = seeded.json["sessions"][0]["session_id"].as_str().unwrap().to_owned();
    let messages = app.get(&User::Is(ALICE), &format!("/api/sessions/{session}/messages")).await;
    assert!(messages.json["messages"][0]["run_id"].as_str().unwrap().starts_with("seed_"), "{}", messages.text);
    assert_fields(&messages.json["messages"][1], "role content run_id timestamp");

    let owner = "user_id may only be set with the project's service role key";
    for user in [json!(ALICE), json!(BOB), json!("x"), json!(1)] {
        refused(&app, &User::Is(ALICE), Method::POST, &path, json!({ "user_id": user }), 403, owner).await;
    }
    let unowned = json!({"initial_messages": seeds("x")["initial_messages"]});
    assert_eq!(app.post(&User::Service, &path, unowned.clone()).await.status, 400);
    assert_eq!(app.post(&User::Is(ALICE), &path, unowned).await.status, 201);
    for bad in [
        json!([{"role": "user", "content": "odd"}]),
        json!([{"role": "user", "content": ""}, {"role": "assistant", "content": "b"}]),
        json!([{"role": "user", "content": "x".repeat(20_001)}, {"role": "assistant", "content": "b"}]),
        json!(vec![json!({"role": "user", "content": "a"}); 202]),
    ] {
        assert_eq!(app.post(&User::Is(ALICE), &path, json!({"initial_messages": bad})).await.status, 400);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_or_plants_a_session() {
    let (app, model) = app([]).await;
    let agent = agent(&app).await;
    let (run, none) = (format!("/api/agents/{agent}/run"), "Session not found");
    let longest = "s".repeat(255);
    for named in ["ticket-4711", longest.as_str()] {
        let body = json!({"message": "hi", "session_id": named});
        let made = app.post(&User::Service, &run, body.clone()).await;
        assert_eq!((made.status, &made.json["session_id"]), (200, &json!(named)), "{}", made.text);
        for user in [User::Is(ALICE), User::ServiceFor(ALICE)] {
            refused(&app, &user, Method::POST, &run, body.clone(), 404, none).await;
            refused(&app, &user, Method::GET, &format!("/api/sessions/{named}"), Value::Null, 404, none).await;
        }
    }
    let planted = json!({"message": "hi", "session_id": "of-my-own"});
    refused(&app, &User::Is(ALICE), Method::POST, &run, planted.clone(), 404, none).await;
    refused(&app, &User::Is(ALICE), Method::POST, &format!("{run}/stream"), planted, 404, none).await;
    let taken: i64 = app.database.value("select count(*) from ai.agent_sessions where session_id = 'of-my-own'").await;
    assert_eq!(taken, 0);
    let own = app.post(&User::Is(ALICE), &run, json!({"message": "hi"})).await.json["session_id"].clone();
    let other = format!("/api/agents/{}/run", self::agent(&app).await);
    for (user, path) in [(User::Is(BOB), &run), (User::Is(ALICE), &other), (User::Service, &other)] {
        let body = json!({"message": "hi", "session_id": own});
        refused(&app, &user, Method::POST, path, body, 404, none).await;
    }
    let asked = model.journal().len();
    let form = "session_id must be a string of at most 255 characters";
    for id in [json!("s".repeat(256)), json!(7), json!(["a"]), json!({"a": 1})] {
        for user in [User::Is(ALICE), User::Service] {
            refused(&app, &user, Method::POST, &run, json!({"message": "hi", "session_id": id}), 400, form).await;
        }
    }
    refused(&app, &User::Is(ALICE), Method::POST, &run, json!({"message": ""}), 400, "message is required").await;
    for field in ["knowledge_bases", "runtime_knowledge_bases", "context_handler_id"] {
        let text = format!(
            "{field} may only be set with the project's service role key; an end user's run uses the knowledge bases \
             configured on the agent"
        );
        let mut body = json!({"message": "hi"});
        body[field] = json!([NOBODYS]);
        refused(&app, &User::Is(ALICE), Method::POST, &run, body.clone(), 403, &text).await;
        assert_eq!(app.post(&User::Service, &run, body).await.status, 400, "{field}");
    }
    let two = json!({"message": "hi", "context_override": "a", "context_items": []});
    assert_eq!(app.post(&User::Is(ALICE), &run, two).await.status, 400);
    let nowhere = format!("/api/agents/{NOBODYS}/run");
    refused(&app, &User::Is(ALICE), Method::POST, &nowhere, json!({"message": "hi"}), 404, "Agent not found").await;
    assert_eq!(model.journal().len(), asked, "nothing that was refused reached the model");
}

/// Each event's fields; those of the loop repeat their name, and say their number and time.
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
