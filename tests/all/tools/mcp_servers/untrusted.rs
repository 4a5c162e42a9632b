//! Servers that fail or cannot be trusted: their answers are bounded, and what they offer is text of a stranger.

use std::time::{Duration, Instant};

use behalf_tests::{ALICE, ScriptedModel, Turn, User};
use reqwest::Method;
use serde_json::{Value, json};

use super::server::{Behaviour, start};
use super::{agent, app_with, give, listed};
use crate::tools::encoded_chain;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_costs_its_own_tools_alone() {
    let (good, silent) =
        (start(Behaviour::Honest).await, start(Behaviour::Redirects("http://169.254.169.254/mcp".to_owned())).await);
    let model = ScriptedModel::start([Turn::Call(vec![("mcp__good__balance", json!({}))]), Turn::Say("Hm.")]).await;
    let app = app_with(&[&good, &silent], Some(&model)).await;
    let agent = agent(&app).await;
    give(&app, &agent, "good", &good, json!({})).await;
    give(&app, &agent, "bad", &silent, json!({})).await;
    let off = give(&app, &agent, "off", &good, json!({"enabled": false})).await;
    let run = app.post(&User::Is(ALICE), &format!("/api/agents/{agent}/run"), json!({"message": "How much?"})).await;
    assert_eq!(run.status, 200, "{}", run.text);
    let asked = json!(model.requests()).to_string();
    assert!(
        asked.contains("mcp__good__balance") && !asked.contains("mcp__bad") && !asked.contains("mcp__off"),
        "{asked}"
    );
    assert!(asked.contains("/account") || asked.contains("required"), "arguments go by the server's schema: {asked}");
    assert!(good.claims("tools/call").is_empty());
    assert_eq!(app.audit().await[0]["outcome"], "invalid_arguments");
    let path = format!("/api/agents/{agent}/mcp-servers/{off}");
    assert_eq!(
        app.send(&User::Service, Method::PUT, &path, json!({"enabled": true, "name": "good"})).await.status,
        409
    );
    let changed = app.send(&User::Service, Method::PUT, &path, json!({"enabled": true})).await;
    assert_eq!((changed.status, changed.json["enabled"].as_bool()), (200, Some(true)), "{}", changed.text);
    assert_eq!(listed(&app, &agent, &off).await.json["tools"].as_array().unwrap().len(), 2);
    assert_eq!(app.send(&User::Service, Method::DELETE, &path, Value::Null).await.json, json!({"deleted": true}));
    assert_eq!(listed(&app, &agent, &off).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_says_is_bounded() {
    let endless = start(Behaviour::Endless).await;
    let giant = start(Behaviour::Giant).await;
    let silent = start(Behaviour::Silent).await;
    let echoes = start(Behaviour::Echoes).await;
    let turns = [
        Turn::Call(vec![("mcp__giant__balance", json!({"account": "a"}))]),
        Turn::Call(vec![("mcp__echoes__balance", json!({"account": "a"}))]),
        Turn::Say("Hm."),
    ];
    let model = ScriptedModel::start(turns).await;
    let app = app_with(&[&endless, &giant, &silent, &echoes], Some(&model)).await;
    let helper = agent(&app).await;
    let started = Instant::now();
    let id = give(&app, &helper, "endless", &endless, json!({})).await;
    let cut = listed(&app, &helper, &id).await;
    assert_eq!(cut.status, 502, "{}", cut.text);
    assert!(cut.text.contains("more than"), "{}", cut.text);
    app.send(&User::Service, Method::DELETE, &format!("/api/agents/{helper}/mcp-servers/{id}"), Value::Null).await;
    give(&app, &helper, "giant", &giant, json!({})).await;
    give(&app, &helper, "echoes", &echoes, json!({"headers": {"x-api-key": "a-static-secret"}})).await;
    let run = app.post(&User::Is(ALICE), &format!("/api/agents/{helper}/run"), json!({"message": "How much?"})).await;
    assert_eq!(run.status, 200, "{}", run.text);
    let asked = json!(model.requests()).to_string();
    assert!(asked.contains("more than 2097152 bytes") && asked.len() < 100_000, "{}", asked.len());
    assert!(asked.contains("[removed]") && !asked.contains("a-static-secret") && !asked.contains("eyJ"), "{asked}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // A server that never answers delays the caller up to the time limit; a caller that disconnects ends the wait at once.
    let id = give(&app, &helper, "silent", &silent, json!({})).await;
    let asking = app.request(&User::Service, Method::GET, &format!("/api/agents/{helper}/mcp-servers/{id}/tools"));
    assert!(tokio::time::timeout(Duration::from_millis(300), asking.send()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_offers_is_a_strangers_text() {
    let schema = json!({"type": "object"});
    let mut tools = vec![
        json!({"name": "a\nb", "description": "x\u{1b}[2J".repeat(5_000), "inputSchema": schema}),
        json!({"name": "twice", "inputSchema": schema}),
        json!({"name": "twice", "inputSchema": schema}),
        json!({"name": "n".repeat(300), "inputSchema": schema}),
        json!({"name": "far", "inputSchema": {"type": "object", "$ref": "https://evil.example/schema"}}),
        json!({"name": "no-schema", "inputSchema": {"type": "object", "properties": []}}),
        json!({"name": "deep", "inputSchema": (0..30).fold(json!({}), |inner, _| json!({"properties": {"a": inner}}))}),
    ];
    let strange = start(Behaviour::Offers(json!(tools.clone()))).await;
    tools = (0..10_000).map(|place| json!({"name": format!("t{place}"), "inputSchema": schema})).collect();
    let many = start(Behaviour::Offers(json!(tools))).await;
    let inside = start(Behaviour::Redirects("http://127.0.0.1:9/mcp".to_owned())).await;
    let app = app_with(&[&strange, &many, &inside], None).await;
    let agent = agent(&app).await;
    let id = give(&app, &agent, "strange", &strange, json!({})).await;
    let answer = listed(&app, &agent, &id).await;
    let names: Vec<_> =
        answer.json["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(names[0].starts_with("mcp__strange__a_b_") && names[1] == "mcp__strange__twice", "{names:?}");
    assert_eq!(names[2], "mcp__strange__far", "a reference to elsewhere is not followed");
    assert!(
        names
            .iter()
            .all(|name| name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))),
        "{names:?}"
    );
    let left_out = answer.json["left_out"].as_array().unwrap();
    let reasons: Vec<_> = left_out.iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.len(), 4, "{}", answer.text);
    assert!(reasons[0] == "its name is there twice" && reasons[1] == "its name is too long", "{reasons:?}");
    assert!(reasons[2].contains("properties must be an object of schemas"), "{reasons:?}");
    assert!(reasons[3].contains("may nest 32 levels"), "{reasons:?}");
    let words = answer.json["tools"][0]["description"].as_str().unwrap();
    assert!(words.len() <= 1_024 && !words.contains('\u{1b}'));
    let id = give(&app, &agent, "many", &many, json!({})).await;
    assert_eq!(listed(&app, &agent, &id).await.json["tools"].as_array().unwrap().len(), 128);
    let id = give(&app, &agent, "inside", &inside, json!({})).await;
    let refused = listed(&app, &agent, &id).await;
    assert!(refused.status == 502 && refused.text.contains("private network"), "{}", refused.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_multiplies_costs_its_own_tool_alone() {
    let tools = json!([
        {"name": "chain", "inputSchema": encoded_chain(29)},
        {"name": "shorter", "inputSchema": encoded_chain(16)},
        {"name": "circle", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "#"}}}},
        {"name": "fine", "inputSchema": encoded_chain(3)},
    ]);
    let server = start(Behaviour::Offers(tools)).await;
    let turns = [
        Turn::Call(vec![("mcp__strange__fine", json!({"n": "x"}))]),
        Turn::Call(vec![("mcp__strange__fine", json!({"n": 7}))]),
        Turn::Say("Done."),
    ];
    let model = ScriptedModel::start(turns).await;
    let app = app_with(&[&server], Some(&model)).await;
    let agent = agent(&app).await;
    let id = give(&app, &agent, "strange", &server, json!({})).await;
    let (list, health) = tokio::join!(
        listed(&app, &agent, &id),
        tokio::time::timeout(Duration::from_secs(10), app.get(&User::Nobody, "/healthz"))
    );
    assert_eq!(health.expect("an answer").status, 200);
    let names: Vec<_> = list.json["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert_eq!(names, ["mcp__strange__circle", "mcp__strange__fine"], "{}", list.text);
    assert_eq!(list.json["tools"][0]["unchecked"][0]["pointer"], "/properties/a/$ref", "{}", list.text);
    assert_eq!(list.json["tools"][1]["input_schema"], encoded_chain(3), "operators see what the server wrote");
    let left_out: Vec<_> = list.json["left_out"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(left_out, ["mcp__strange__chain", "mcp__strange__shorter"], "{}", list.text);
    let run = app.post(&User::Is(ALICE), &format!("/api/agents/{agent}/run"), json!({"message": "Go."})).await;
    assert_eq!((run.status, &run.json["content"]), (200, &json!("Done.")), "{}", run.text);
    let warning = run.json["warning"].as_str().unwrap_or_default();
    assert!(
        warning.contains("mcp__strange__chain: its schema cannot be used"),
        "the run says what is missing: {warning}"
    );
    let outcomes: Vec<_> = app.audit().await.iter().map(|call| call["outcome"].clone()).collect();
    assert_eq!(outcomes, ["ok", "invalid_arguments"], "the reference was decoded");
}
