//! Management: the service role adds servers, and an operator decides which of their tools may be called.

use behalf_tests::{ALICE, App, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::json;

use super::server::{Behaviour, start};
use super::{agent, app_with, give};

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_managed_by_the_service_role() {
    let app = App::start().await;
    let agent = agent(&app).await;
    let path = format!("/api/agents/{agent}/mcp-servers");
    let body = json!({"name": "crm", "url": "https://mcp.example/mcp", "headers": {"x-api-key": "a-static-secret"}});
    let made = app.post(&User::Service, &path, body.clone()).await;
    for field in
        ["id", "agent_id", "name", "url", "transport", "headers", "config", "enabled", "created_at", "updated_at"]
    {
        assert!(!made.json[field].is_null(), "{field}: {}", made.text);
    }
    assert_eq!(app.post(&User::Service, &path, body).await.status, 409);
    assert_eq!(app.get(&User::Service, &path).await.json["mcp_servers"].as_array().unwrap().len(), 1);
    for bad in [
        json!({"name": "x"}),
        json!({"name": "a b", "url": "https://a.test"}),
        json!({"name": "a\nb", "url": "https://a.test"}),
        json!({"name": "x".repeat(33), "url": "https://a.test"}),
        json!({"name": "x", "url": "http://user:pass@a.test/"}),
        json!({"name": "x", "url": "http://2130706433/"}),
        json!({"name": "x", "url": "http://10.0.0.7/mcp"}),
        json!({"name": "x", "url": "http://127.0.0.1:1/mcp"}),
        json!({"name": "x", "url": "file:///etc/passwd"}),
        json!({"name": "x", "url": "https://a.test", "transport": "stdio"}),
        json!({"name": "x", "url": "https://a.test", "headers": {"host": "b.test"}}),
        json!({"name": "x", "url": "https://a.test", "config": {"identity": "user"}}),
        json!({"name": "x", "url": "https://a.test", "enabled": "yes"}),
    ] {
        assert_eq!(app.post(&User::Service, &path, bad.clone()).await.status, 400, "{bad}");
    }
    let missing = format!("/api/agents/{ALICE}/mcp-servers");
    assert_eq!(app.get(&User::Service, &missing).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_says_what_of_a_server_may_be_called() {
    let server = start(Behaviour::Honest).await;
    let balance = |account: &str| Turn::Call(vec![("mcp__crm__balance", json!({ "account": account }))]);
    let own = Turn::Call(vec![("mcp__crm__balance_of_a11ce000", json!({}))]);
    let model = ScriptedModel::start([balance("house"), balance("own"), own, Turn::Say("done")]).await;
    let app = app_with(&[&server], Some(&model)).await;
    let agent = agent(&app).await;
    let config = json!({
        "approval": "writes", "read_only": "declared",
        "tools": { "balance": { "config_override": { "rules": ["account IN house"] } } },
    });
    give(&app, &agent, "crm", &server, json!({ "config": config })).await;
    let settings = json!({ "settings": { "approval_timeout_seconds": 1 } });
    let changed = app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), settings).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    let run = app.ask(&User::Is(ALICE), &agent, "go").await;
    assert_eq!(run.status, 200, "{}", run.text);
    let results: Vec<_> =
        run.json["tool_calls"].as_array().unwrap().iter().map(|call| call["result"].as_str().unwrap()).collect();
    assert!(results[0].contains("forbids this call"), "{results:?}");
    assert!(results[1].contains("12"), "what only reads needs nobody: {results:?}");
    assert!(results[2].contains("nobody agreed"), "{results:?}");
    assert_eq!(server.claims("tools/call").len(), 1, "what was not agreed to was not sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_servers_own_word_that_a_tool_only_reads_counts_for_nothing() {
    let server = start(Behaviour::Honest).await;
    let balance = Turn::Call(vec![("mcp__crm__balance", json!({ "account": "own" }))]);
    let model = ScriptedModel::start([balance, Turn::Say("done")]).await;
    let app = app_with(&[&server], Some(&model)).await;
    let agent = agent(&app).await;
    let id = give(&app, &agent, "crm", &server, json!({ "config": { "approval": "writes" } })).await;
    let hint = async || {
        let listed = super::listed(&app, &agent, &id).await.json;
        let tools = listed["tools"].as_array().unwrap_or_else(|| panic!("{listed}")).clone();
        tools.into_iter().find(|tool| tool["name"] == "mcp__crm__balance").unwrap()["annotations"].clone()
    };
    assert_eq!(hint().await["readOnlyHint"], false);
    let settings = json!({ "settings": { "approval_timeout_seconds": 1 } });
    app.send(&User::Service, Method::PATCH, &format!("/api/agents/{agent}"), settings).await;
    let run = app.ask(&User::Is(ALICE), &agent, "go").await;
    let result = run.json["tool_calls"][0]["result"].as_str().unwrap_or_else(|| panic!("{}", run.text));
    assert!(result.contains("nobody agreed"), "{result}");
    assert_eq!(server.claims("tools/call").len(), 0, "what was not agreed to was not sent");

    let path = format!("/api/agents/{agent}/mcp-servers/{id}");
    let change = async |config| {
        let body = json!({ "name": "crm", "url": server.url, "config": config });
        app.send(&User::Service, Method::PUT, &path, body).await.status
    };
    assert_eq!(change(json!({ "read_only": true })).await, 400);
    assert_eq!(change(json!({ "approval": "writes", "read_only": "declared" })).await, 200);
    assert_eq!(hint().await["readOnlyHint"], true);
}

/// Tools whose schemas common generators write: each is offered, to the model in a form that its endpoint takes, and what is missing or
/// not checked is told where the server is made, where it is asked, and on the run.
#[tokio::test(flavor = "multi_thread")]
async fn tools_of_common_generators_are_offered_and_what_is_missing_is_told() {
    let email = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$";
    let tools = json!([
        {"name": "zod", "inputSchema": {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
            "properties": {"to": {"type": "string", "format": "email", "pattern": email}, "cc": {"$ref": "#/properties/to"}}}},
        {"name": "empty", "inputSchema": {"type": "object"}},
        {"name": "openapi", "inputSchema": {"type": "object", "properties": {
            "n": {"type": "number", "minimum": 0, "exclusiveMinimum": true}, "tags": {"type": "array"}}}},
        {"name": "anything", "inputSchema": {"type": "string"}},
    ]);
    let server = start(Behaviour::Offers(tools)).await;
    let model = ScriptedModel::start([
        Turn::Call(vec![("mcp__gen__zod", json!({"to": "a@b.example", "cc": "c@d.example"}))]),
        Turn::Call(vec![("mcp__gen__openapi", json!({"n": 0}))]),
        Turn::Say("Done."),
    ])
    .await;
    let ended = start(Behaviour::Honest).await;
    ended.end().await;
    let app = app_with(&[&server, &ended], Some(&model)).await;
    let agent = agent(&app).await;
    let path = format!("/api/agents/{agent}/mcp-servers");
    let made = app.post(&User::Service, &path, json!({"name": "gen", "url": server.url})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let listed = super::listed(&app, &agent, made.json["id"].as_str().unwrap()).await;
    for told in [&made, &listed] {
        let names: Vec<_> = told.json["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
        assert_eq!(names, ["mcp__gen__zod", "mcp__gen__empty", "mcp__gen__openapi"], "{}", told.text);
        assert_eq!(told.json["tools"][0]["unchecked"][0]["pointer"], "/properties/to/pattern", "{}", told.text);
        assert_eq!(told.json["left_out"][0]["name"], "mcp__gen__anything", "{}", told.text);
    }
    assert!(made.json["tools_error"].is_null(), "{}", made.text);

    let run = app.ask(&User::Is(ALICE), &agent, "go").await;
    assert_eq!(run.json["content"], "Done.", "{}", run.text);
    let outcomes: Vec<_> =
        run.json["tool_calls"].as_array().unwrap().iter().map(|call| call["status"].clone()).collect();
    assert_eq!(outcomes, ["success", "error"], "what can be checked is checked: {}", run.text);
    assert!(run.json["warning"].as_str().unwrap().contains("mcp__gen__anything"), "{}", run.text);
    let sent = model.requests()[0]["tools"].clone();
    assert_eq!(sent[0]["function"]["parameters"]["properties"]["cc"], json!({"type": "string", "format": "email"}));
    assert_eq!(sent[1]["function"]["parameters"], json!({"type": "object", "properties": {}}));
    assert_eq!(sent[2]["function"]["parameters"]["properties"]["n"], json!({"type": "number", "exclusiveMinimum": 0}));
    assert_eq!(sent[2]["function"]["parameters"]["properties"]["tags"], json!({"type": "array", "items": {}}));

    // A server that does not run yet is kept, and says so.
    let early = app.post(&User::Service, &path, json!({"name": "early", "url": ended.url})).await;
    assert!(early.status == 201 && early.json["tools_error"].is_string(), "{}", early.text);
}
