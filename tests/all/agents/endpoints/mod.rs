//! The platform's endpoints for agents: which fields their answers have, and what they answer when something is wrong.
//!
//! This host answers as the platform does, so that its clients work here too. Fields that only this host has are listed
//! apart; a field that is missing, or is in no list, fails the test.

mod agents;
mod events;
mod sessions;

use std::collections::BTreeSet;

use behalf_tests::{App, Options, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::{Value, json};

const AGENT: &str = "id name model system_prompt settings created_at updated_at";

const SESSION: &str = "id session_id agent_id user_id session_data metadata created_at updated_at";

const RUN: &str = "id run_id session_id parent_orchestration_run_id parent_workflow_execution_id status input_messages \
    output_messages content usage retrieved_context error started_at completed_at steps events tool_calls reasoning_steps \
    created_at";

/// The fields of a run that only this host has.
const RUN_MORE: &str = "agent_id user_id actor model is_new_session parent_run_id waiting_for \
    context_handler_id citations citation_candidates warning";

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
