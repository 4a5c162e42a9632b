//! Model endpoints as they are in the world: each behaviour of `behalf_tests::behaviours` against a run, over the real protocol.

use std::collections::{BTreeMap, HashSet};

use behalf_tests::behaviours::{Behaviour, ManyModels, Outcome, all};
use behalf_tests::{ALICE, Answer, App, LogLines, Options, User};
use reqwest::Method;
use serde_json::{Value, json};

/// A host whose models behave as their names say.
async fn app_with(models: &ManyModels) -> App {
    let settings = vec![
        ("model_base_url", models.url.clone()),
        ("model_api_key", "a-secret-key".to_owned()),
        ("model_default", "openai/streams".to_owned()),
    ];
    App::with(Options { settings }).await
}

/// An agent that has all optional settings, two tools, and the model that behaves so.
async fn agent_of(app: &App, model: &str) -> String {
    let agent = app.agent(&["echo", "database_query"]).await;
    let change = json!({
        "model": format!("openai/{model}"),
        "settings": {"temperature": 0.5, "max_tokens": 64, "reasoning_effort": "low"},
    });
    let changed = app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), change).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    agent
}

async fn run(app: &App, agent: &str) -> Answer {
    app.ask(&User::Is(ALICE), agent, "please").await
}

/// Runs every behaviour of a list and compares what became of the run.
async fn check(app: &App, behaviours: Vec<Behaviour>) {
    for behaviour in behaviours {
        let agent = agent_of(app, behaviour.name).await;
        let answer = run(app, &agent).await;
        let what = format!("{}: {}", behaviour.name, answer.text);
        match behaviour.outcome {
            Outcome::Answers(text) => {
                assert_eq!(answer.json["status"], "completed", "{what}");
                assert_eq!(answer.json["content"], text, "{what}");
            }
            Outcome::Calls(arguments) => called(&answer, arguments, &what),
            Outcome::Told(words) => {
                assert_eq!(answer.json["content"], "Done.", "{what}");
                let call = &answer.json["tool_calls"][0];
                assert_eq!(call["status"], "error", "{what}");
                assert!(call["result"].as_str().unwrap().contains(words), "{what}");
            }
            Outcome::Fails(error, reason) => failed(app, &answer, (error, reason), &what).await,
            Outcome::LeavesOut => {
                assert_eq!(answer.json["content"], "Done.", "{what}");
                assert!(answer.json["warning"].as_str().unwrap_or_default().contains("the tool echo"), "{what}");
            }
        }
    }
}

fn called(answer: &Answer, arguments: &[&str], what: &str) {
    assert_eq!(answer.json["content"], "Done.", "{what}");
    let calls = answer.json["tool_calls"].as_array().unwrap();
    let made: Vec<_> = calls.iter().map(|call| call["arguments"].clone()).collect();
    let expected: Vec<Value> = arguments.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    assert_eq!(made, expected, "{what}");
    assert!(calls.iter().all(|call| call["status"] == "success"), "{what}");
}

/// A run without an answer: its user reads what happened, and the service role also what the endpoint said.
async fn failed(app: &App, answer: &Answer, (error, reason): (&str, &str), what: &str) {
    assert!(answer.status >= 400, "{what}");
    let id = answer.json["run_id"].as_str().unwrap_or_else(|| panic!("{what}"));
    let path = format!("/api/agents/runs/{id}");
    let (own, operators) = (app.get(&User::Is(ALICE), &path).await, app.get(&User::Service, &path).await);
    for seen in [&own, &operators] {
        assert_eq!(seen.json["status"], "failed", "{what}");
        assert!(seen.json["error"].as_str().unwrap().contains(error), "{what}");
    }
    assert!(own.json.get("error_reason").is_none(), "users read nothing of the endpoint's: {}", own.text);
    assert!(reason.is_empty() || !answer.text.contains(reason), "{what}");
    let said = operators.json["error_reason"].as_str().unwrap_or_default();
    assert!(said.contains(reason), "{what}: {said}");
}

fn of(fits: fn(&Outcome) -> bool) -> Vec<Behaviour> {
    all().into_iter().filter(|behaviour| fits(&behaviour.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_understood_in_every_form_that_endpoints_send() {
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    check(&app, of(|outcome| matches!(outcome, Outcome::Answers(_)))).await;
    for counted in ["streams", "counts-in-the-choice", "counts-in-a-field-of-its-own"] {
        let agent = agent_of(&app, counted).await;
        assert_eq!(run(&app, &agent).await.json["usage"]["total_tokens"], 18, "{counted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_once_with_the_arguments_that_were_meant_or_the_model_is_told() {
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    check(&app, of(|outcome| matches!(outcome, Outcome::Calls(_) | Outcome::Told(_)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_without_an_answer_is_an_error_with_its_reason_for_the_operator() {
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    check(&app, of(|outcome| matches!(outcome, Outcome::Fails(..)))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_tool_whose_schema_is_refused_stops_no_agent() {
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    check(&app, of(|outcome| matches!(outcome, Outcome::LeavesOut))).await;
    let last = models.requests("refuses-a-schema-by-its-tools-name").pop().unwrap();
    let names: Vec<_> = last["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].clone()).collect();
    assert_eq!(names, ["database_query"], "the others stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_refuses_is_refused_once() {
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    for (model, requests) in [
        ("refuses-stream-options", 2),
        ("refuses-max-tokens", 2),
        ("o1-knows-only-max-tokens", 2),
        ("refuses-several-one-by-one", 4),
        ("refuses-to-stream", 2),
        ("refuses-a-schema-by-its-tools-name", 3),
    ] {
        let agent = agent_of(&app, model).await;
        for expected in [requests, requests + 1] {
            assert_eq!(run(&app, &agent).await.json["content"], "Done.", "{model}");
            assert_eq!(models.requests(model).len(), expected, "{model}: remembered");
        }
    }
    let kept = models.requests("refuses-max-tokens").pop().unwrap();
    assert_eq!(kept["max_completion_tokens"], 64, "the limit goes by its other name");
    assert_eq!(kept["temperature"], 0.5, "what was not refused stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_leaves_fields_out_from_the_first_request_on() {
    let models = ManyModels::start().await;
    let settings = vec![
        ("model_base_url", models.url.clone()),
        ("model_default", "openai/streams".to_owned()),
        ("model_omit_fields", "stream_options, temperature,max_tokens,max_completion_tokens".to_owned()),
    ];
    let app = App::with(Options { settings }).await;
    let agent = agent_of(&app, "refuses-several-one-by-one").await;
    assert_eq!(run(&app, &agent).await.json["content"], "Done.");
    let first = &models.requests("refuses-several-one-by-one")[0];
    for left_out in ["stream_options", "temperature", "max_tokens", "max_completion_tokens"] {
        assert!(first.get(left_out).is_none(), "{first}");
    }
    assert_eq!(first["reasoning_effort"], "low");
}

/// The next run of a session, too, carries what its provider wants to read again; another model does not get it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_come_back_comes_back_in_later_runs_and_to_nobody_else() {
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    let agent = agent_of(&app, "signs-calls").await;
    let first = run(&app, &agent).await;
    let body = json!({"message": "again", "session_id": first.json["session_id"]});
    let path = format!("/api/agents/{agent}/run");
    assert_eq!(app.post(&User::Is(ALICE), &path, body.clone()).await.json["content"], "Done.");
    let signed = |request: &Value| json!(request["messages"]).to_string().contains("c2lnbmF0dXJl");
    assert!(signed(models.requests("signs-calls").last().unwrap()));

    let change = json!({"model": "openai/streams"});
    assert_eq!(app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), change).await.status, 200);
    assert_eq!(app.post(&User::Is(ALICE), &path, body).await.json["content"], "Hello there.");
    let other = models.requests("streams").pop().unwrap();
    assert!(json!(other["messages"]).to_string().contains("call_a") && !signed(&other), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_reads_in_the_log_why_an_endpoint_refuses() {
    let log = LogLines::take();
    let models = ManyModels::start().await;
    let app = app_with(&models).await;
    let agent = agent_of(&app, "an-error-in-a-list").await;
    assert!(run(&app, &agent).await.status >= 400);
    app.stop().await;
    assert!(log.text().contains("Request contains an invalid argument."), "{}", log.text());
    assert!(!log.text().contains("a-secret-key"));
}

#[test]
fn the_table_of_behaviours_has_each_of_them_and_no_other() {
    let page = include_str!("../../../docs/models.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let table: BTreeMap<&str, &str> = rows.collect();
    let behaviours = all();
    for behaviour in &behaviours {
        let row = table.get(behaviour.name).unwrap_or_else(|| panic!("{} is not in docs/models.md", behaviour.name));
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let provider = format!("[{}]({})", behaviour.provider, behaviour.source);
        assert_eq!(cells.first(), Some(&provider.as_str()), "{}", behaviour.name);
        assert!(cells.len() == 3 && cells.iter().all(|cell| cell.len() > 3), "{}: {row}", behaviour.name);
        assert!(behaviour.source.starts_with("https://"), "{}", behaviour.source);
    }
    let names: HashSet<_> = behaviours.iter().map(|behaviour| behaviour.name).collect();
    let unknown: Vec<_> = table.keys().filter(|name| !names.contains(*name)).collect();
    assert!(unknown.is_empty(), "no endpoint behaves so: {unknown:?}");
    assert_eq!(names.len(), behaviours.len(), "two have one name");
    assert!(names.len() >= 50, "{}", names.len());
}
