//! Calls: the bounds on a server's answer, addresses that are refused, secrets that stay secret, and calls by agents.

use behalf_tests::{ALICE, App, BOB, Options, ScriptedModel, Turn, User};
use serde_json::json;

use super::assertions::verify;
use super::backend::{Backend, NUMBERS};
use super::{app_for, made, tool};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_answers_is_bounded_and_what_was_secret_stays_so() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    for (name, path) in [("mirror", "/echo"), ("text", "/text"), ("fail", "/fail"), ("inside", "/inside")] {
        let mut body = tool(name, &format!("{}{path}", backend.url));
        body["config"]["headers"] = json!({"x-api-key": "a-static-secret"});
        made(&app, body).await;
    }
    let call = async |name: &str| app.call(&User::Is(ALICE), name, json!({"account": "a"})).await;
    let echoed = call("mirror").await;
    let text = echoed.result().to_string();
    assert!(text.contains("[removed]") && !text.contains("eyJ") && !text.contains("a-static-secret"), "{text}");
    assert_eq!(call("text").await.result().as_str().unwrap().len(), 10_000);
    let failed = call("fail").await;
    assert_eq!((failed.status, failed.json["tool_code"].as_str()), (422, Some("http_status")), "{}", failed.text);
    assert!(failed.text.contains("502: out of order"), "{}", failed.text);
    let inside = call("inside").await;
    assert_eq!(
        (inside.status, inside.json["tool_code"].as_str()),
        (422, Some("address_prohibited")),
        "{}",
        inside.text
    );
    let before = backend.count();
    let wrong = app.call(&User::Is(ALICE), "mirror", json!({"account": 7})).await;
    assert_eq!((wrong.status, wrong.json["faults"][0]["pointer"].as_str()), (400, Some("/account")), "{}", wrong.text);
    assert_eq!(backend.count(), before, "nothing was sent");
    let audit = app.audit().await;
    let inside = audit.iter().find(|row| row["tool"] == "inside").unwrap();
    assert_eq!(inside["egress"][0]["status"], 302);
    assert_eq!(
        (inside["egress"][1]["host"].as_str(), inside["egress"][1]["error"].as_str()),
        (Some("169.254.169.254"), Some("address_prohibited"))
    );
    let private = App::on(app.database.clone(), Options::default()).await;
    let refused = private.call(&User::Is(ALICE), "mirror", json!({"account": "a"})).await;
    assert_eq!(
        (refused.status, refused.json["tool_code"].as_str()),
        (422, Some("address_prohibited")),
        "{}",
        refused.text
    );
    assert_eq!(backend.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_calls_a_custom_tool_as_whoever_runs_it() {
    let backend = Backend::start().await;
    let turns = || [Turn::Call(vec![("balance", json!({"account": "a"}))]), Turn::Say("Twelve.")];
    let model = ScriptedModel::start(turns().into_iter().chain(turns())).await;
    let app = App::with(Options {
        settings: vec![
            ("http_allow_private", backend.host.clone()),
            ("model_base_url", model.url.clone()),
            ("model_api_key", "a-key".to_owned()),
            ("model_default", "openai/scripted".to_owned()),
        ],
    })
    .await;
    let mut body = tool("balance", &format!("{}/echo", backend.url));
    body["config"]["headers"] = json!({"x-api-key": "a-static-secret"});
    let id = made(&app, body).await;
    let agent = app.post(&User::Service, "/api/agents", json!({"name": "helper"})).await.json["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let tools = format!("/api/agents/{agent}/tools");
    let other = json!({"tool_type": "custom", "tool_name": "balance", "tool_id": ALICE});
    assert_eq!(app.post(&User::Service, &tools, other).await.status, 400);
    assert_eq!(app.post(&User::Service, &tools, json!({"tool_type": "custom", "tool_name": "echo"})).await.status, 400);
    let assigned = app.post(&User::Service, &tools, json!({"tool_name": "balance"})).await;
    assert_eq!(assigned.status, 201, "{}", assigned.text);
    let listed = app.get(&User::Service, &tools).await;
    assert_eq!(
        (&listed.json["tools"][0]["tool_type"], &listed.json["tools"][0]["tool_id"]),
        (&json!("custom"), &json!(id))
    );
    for user in [ALICE, BOB] {
        let run = app.post(&User::Is(user), &format!("/api/agents/{agent}/run"), json!({"message": "How much?"})).await;
        assert_eq!((run.status, run.json["content"].as_str()), (200, Some("Twelve.")), "{}", run.text);
        let said = verify(&app, backend.last().bearer(), &backend.url).await.unwrap();
        assert_eq!((&said["sub"], &said["act"]["sub"]), (&json!(user), &json!(agent)));
        let run_id = run.json["run_id"].as_str().unwrap();
        let row = app.get(&User::Is(user), &format!("/api/agents/runs/{run_id}")).await;
        let events = app.get(&User::Is(user), &format!("/api/agents/runs/{run_id}/events")).await;
        let all = json!(model.requests()).to_string() + &row.text + &events.text;
        assert!(all.contains("[removed]"), "{all}");
        for hidden in [backend.last().bearer(), "a-static-secret"] {
            assert!(!all.contains(hidden), "{hidden}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_a_server_keeps_every_digit() {
    let backend = Backend::start().await;
    let app = app_for(&backend).await;
    made(&app, tool("numbers", &format!("{}/numbers", backend.url))).await;
    let answer = app.call(&User::Is(ALICE), "numbers", json!({"account": "a"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for number in NUMBERS {
        assert!(answer.text.contains(number), "{number}: {}", answer.text);
    }
}
