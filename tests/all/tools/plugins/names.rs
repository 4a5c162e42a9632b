//! Names of tools belong to their plugins: the first one keeps the short name, and an agent keeps the tool that it was given.

use behalf_tests::{ALICE, App, Options, ScriptedModel, Turn, User, components};
use serde_json::{Value, json};

use super::{delete, id};

/// A plugin with one tool, which answers with this text.
fn answering(tool: &str, text: &str) -> Vec<u8> {
    let definitions = json!([{"name": tool, "description": text, "inputSchema": {"type": "object"}}]);
    components::plugin(&definitions.to_string(), &json!(text).to_string())
}

async fn install(app: &App, plugin: &str, tool: &str) -> Value {
    let answer = app.upload_bytes(answering(tool, plugin), &json!({}), &format!("?name={plugin}")).await;
    assert_eq!(answer.status, 201, "{plugin}: {}", answer.text);
    answer.json
}

async fn called(app: &App, name: &str) -> Option<String> {
    let answer = app.call(&User::Is(ALICE), name, json!({})).await;
    (answer.status == 200).then(|| answer.json["result"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_plugin_keeps_the_short_name_and_each_tool_has_a_full_one() {
    let app = App::start().await;
    let first = install(&app, "first", "look").await;
    let second = install(&app, "second", "look").await;
    assert_eq!((&first["tools"][0]["name"], &second["tools"][0]["name"]), (&json!("look"), &json!("second__look")));
    for (name, expected) in [("look", "first"), ("first__look", "first"), ("second__look", "second")] {
        assert_eq!(called(&app, name).await.as_deref(), Some(expected), "{name}");
    }
    let listed = app.get(&User::Is(ALICE), "/api/tools").await.json["tools"].clone();
    let names: Vec<_> = listed.as_array().unwrap().iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(names.contains(&"look") && names.contains(&"second__look") && !names.contains(&"first__look"), "{names:?}");

    // A full name means its tool alone: nobody else takes it as a short one, in either order.
    let thief = app.upload_bytes(answering("first__look", "thief"), &json!({}), "?name=thief").await;
    assert_eq!(thief.json["tools"][0]["name"], "thief__first__look", "{}", thief.text);
    install(&app, "early", "late__look").await;
    let late = app.upload_bytes(answering("look", "late"), &json!({}), "?name=late").await;
    assert!(
        late.status == 409 && late.text.contains("late__look") && late.text.contains("plugin early"),
        "{}",
        late.text
    );
    let mcp = app.upload_bytes(answering("look", "mcp"), &json!({}), "?name=mcp").await;
    assert!(mcp.status == 400 && mcp.text.contains("no plugin name"), "{}", mcp.text);

    // When the first one goes, its short name does not change hands by itself.
    assert_eq!(delete(&app, first["id"].as_str().unwrap()).await.status, 200);
    assert_eq!((called(&app, "look").await, called(&app, "first__look").await), (None, None));
    let again = app.upload_bytes(answering("look", "second"), &json!({}), "?name=second&replace=true").await;
    assert_eq!((id(&again), &again.json["tools"][0]["name"]), (id_of(&second), &json!("second__look")));
    assert_eq!(called(&app, "second__look").await.as_deref(), Some("second"));
}

fn id_of(plugin: &Value) -> String {
    plugin["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_keeps_the_tool_that_it_was_given_whoever_takes_its_name() {
    let call = || Turn::Call(vec![("look", json!({}))]);
    let turns = [call(), Turn::Say("One."), call(), Turn::Say("Two."), Turn::Say("Three.")];
    let model = ScriptedModel::start(turns).await;
    let app = App::with(Options { settings: model.settings() }).await;
    let first = install(&app, "first", "look").await;
    install(&app, "second", "look").await;
    let agent = app.agent(&[]).await;
    let tools = format!("/api/agents/{agent}/tools");
    // By its full name, it is the same tool, and the agent has it once.
    let given = app.post(&User::Service, &tools, json!({"tool_type": "wasm", "tool_name": "first__look"})).await;
    assert_eq!((given.status, &given.json["tool_name"]), (201, &json!("look")), "{}", given.text);
    assert_eq!(app.post(&User::Service, &tools, json!({"tool_type": "wasm", "tool_name": "look"})).await.status, 409);
    let stored = app.get(&User::Service, &tools).await.json["tools"][0].clone();
    assert_eq!((&stored["tool_name"], &stored["full_name"]), (&json!("look"), &json!("first__look")));
    let answer = async || app.ask(&User::Is(ALICE), &agent, "Look.").await;
    assert_eq!(answer().await.status, 200);
    let told = |request: usize| model.requests()[request].to_string();
    let result = |request: usize| model.requests()[request]["messages"].as_array().unwrap().last().unwrap().to_string();
    assert!(result(1).contains("first") && !told(0).contains("second__look"), "{}", told(1));

    // Another plugin takes the name: the agent's tool is gone, and the other one is not called in its place.
    assert_eq!(delete(&app, &id_of(&first)).await.status, 200);
    install(&app, "third", "look").await;
    assert_eq!(called(&app, "look").await.as_deref(), Some("third"));
    assert_eq!(answer().await.status, 200);
    assert!(!told(2).contains("\"third\"") && result(3).contains("there is no tool"), "{}", told(3));

    // Both are there: the model sees two names.
    let other = app.agent(&["second__look", "look"]).await;
    app.ask(&User::Is(ALICE), &other, "Look.").await;
    let names: Vec<_> =
        model.requests()[4]["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].clone()).collect();
    assert_eq!(names, ["second__look", "look"]);
}
