//! Agents call tools of a server as the user who runs them.

use behalf_tests::{ALICE, BOB, ScriptedModel, Turn, User};
use serde_json::json;

use super::server::{Behaviour, LONG_NUMBER, start};
use super::{agent, app_with, give};

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_calls_a_server_as_whoever_runs_it() {
    for behaviour in [Behaviour::Honest, Behaviour::Streams] {
        let server = start(behaviour).await;
        let turns = || [Turn::Call(vec![("mcp__crm__balance", json!({"account": "a"}))]), Turn::Say("Twelve.")];
        let model = ScriptedModel::start(turns().into_iter().chain(turns())).await;
        let app = app_with(&[&server], Some(&model)).await;
        let agent = agent(&app).await;
        give(
            &app,
            &agent,
            "crm",
            &server,
            json!({"headers": {"Authorization": "Bearer a-static-secret", "X-Api-Key": "another-secret"}}),
        )
        .await;
        for (user, own, other) in [(ALICE, "a11ce000", "b0b00000"), (BOB, "b0b00000", "a11ce000")] {
            let before = model.requests().len();
            let run =
                app.post(&User::Is(user), &format!("/api/agents/{agent}/run"), json!({"message": "How much?"})).await;
            assert_eq!((run.status, run.json["content"].as_str()), (200, Some("Twelve.")), "{}", run.text);
            let said = server.claims("tools/call").pop().unwrap();
            assert_eq!(
                (&said["sub"], &said["act"]["sub"], &said["aud"]),
                (&json!(user), &json!(agent), &json!(format!("http://{}", server.host)))
            );
            let asked = json!(model.requests()[before..]).to_string();
            assert!(
                asked.contains(&format!("mcp__crm__balance_of_{own}")) && asked.contains(r#"{\"balance\":12}"#),
                "{asked}"
            );
            assert!(!asked.contains(other), "each is offered their own: {asked}");
            let events = app
                .get(&User::Is(user), &format!("/api/agents/runs/{}/events", run.json["run_id"].as_str().unwrap()))
                .await;
            for hidden in ["secret", "eyJ"] {
                assert!(!asked.contains(hidden) && !events.text.contains(hidden), "{hidden}");
            }
        }
        let audit = app.audit().await;
        assert_eq!(audit.len(), 2, "{audit:?}");
        for row in &audit {
            assert_eq!((row["tool"].as_str(), row["outcome"].as_str()), (Some("mcp__crm__balance"), Some("ok")));
            assert!(row["egress"].as_array().unwrap().len() >= 3, "greeting, its echo, call: {row}");
        }
        let jti: Vec<_> = server.claims("tools/call").iter().map(|said| said["jti"].clone()).collect();
        assert!(audit.iter().all(|row| jti.contains(&row["call_id"])));
        // The tool cannot be called without the agent that has the server.
        assert_eq!(app.call(&User::Is(ALICE), "mcp__crm__balance", json!({"account": "a"})).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_a_servers_keeps_its_digits_or_is_refused() {
    for (as_text, told) in [(true, LONG_NUMBER), (false, "would be rounded")] {
        let server = start(Behaviour::Numbers(as_text)).await;
        let turns = [Turn::Call(vec![("mcp__crm__balance", json!({"account": "a"}))]), Turn::Say("Much.")];
        let model = ScriptedModel::start(turns).await;
        let app = app_with(&[&server], Some(&model)).await;
        let agent = agent(&app).await;
        give(&app, &agent, "crm", &server, json!({})).await;
        let run = app.post(&User::Is(ALICE), &format!("/api/agents/{agent}/run"), json!({"message": "go"})).await;
        assert_eq!(run.status, 200, "{}", run.text);
        let asked = json!(model.requests()).to_string();
        assert!(asked.contains(told) && !asked.contains("12345678901234568"), "{asked}");
        let outcome = if as_text { "ok" } else { "tool_error" };
        assert_eq!(app.audit().await[0]["outcome"], outcome);
    }
}
