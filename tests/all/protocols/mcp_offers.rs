//! Resources and prompts of plugins: a client reads them as its caller, through the tools behind them.

use behalf_tests::{ALICE, App, BOB, User, guests};
use serde_json::{Value, json};

async fn host() -> App {
    let app = App::start().await;
    app.install(guests::CONTENT, &json!({})).await;
    app
}

/// The answer to a message: its result, or its error.
async fn ask(app: &App, user: &User, method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = app.request(user, reqwest::Method::POST, "/mcp").header("accept", "application/json").json(&message);
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    answer.get("result").or(answer.get("error")).cloned().unwrap_or_else(|| panic!("{answer}"))
}

async fn read(app: &App, user: &User, uri: &str) -> Value {
    let answer = ask(app, user, "resources/read", json!({"uri": uri})).await;
    answer.get("contents").and_then(|contents| contents.get(0)).cloned().unwrap_or(answer)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_s_resources_are_listed_and_read_as_the_caller() {
    let (app, alice) = (host().await, User::Is(ALICE));
    let listed = ask(&app, &alice, "resources/list", json!({})).await;
    assert_eq!(names(&listed["resources"]), ["read_binary", "read_mine", "read_text"]);
    let text = &listed["resources"][2];
    assert_eq!((&text["uri"], &text["mimeType"]), (&json!("test://static-text"), &json!("text/plain")), "{text}");
    let templates = ask(&app, &alice, "resources/templates/list", json!({})).await;
    assert_eq!(names(&templates["resourceTemplates"]), ["read_sum", "read_template"]);
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "test://sum/{a}/{b}");

    let text = read(&app, &alice, "test://static-text").await;
    assert_eq!(text["text"], "This is the content of the static text resource.");
    let picture = read(&app, &alice, "test://static-binary").await;
    assert!(picture["mimeType"] == "image/png" && picture["blob"].is_string(), "{picture}");
    let filled = read(&app, &alice, "test://template/a%2Fb/data").await;
    assert_eq!(
        (&filled["mimeType"], &filled["uri"]),
        (&json!("application/json"), &json!("test://template/a%2Fb/data"))
    );
    assert_eq!(serde_json::from_str::<Value>(filled["text"].as_str().unwrap()).unwrap()["id"], "a/b");
    // The tool takes numbers, and an address has texts.
    assert_eq!(read(&app, &alice, "test://sum/3/4").await["text"], "7");
    for (user, id) in [(User::Is(ALICE), ALICE), (User::Is(BOB), BOB)] {
        assert_eq!(read(&app, &user, "test://mine").await["text"], id.to_string());
    }
    app.settled().await;
    let row = app.audit().await.swap_remove(0);
    assert_eq!((&row["tool"], &row["user_id"]), (&json!("read_mine"), &json!(BOB)), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told() {
    let (app, alice) = (host().await, User::Is(ALICE));
    for uri in ["test://nothing", "test://template//data", "test://template/1/2/data", "", "file:///etc/passwd"] {
        let error = read(&app, &alice, uri).await;
        assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32002), &json!(uri)), "{error}");
    }
    let error = read(&app, &alice, "test://sum/one/2").await;
    assert!(error["code"] == -32603 && error["message"].as_str().unwrap().contains("/a"), "{error}");
    let error = ask(&app, &alice, "prompts/get", json!({"name": "read_text"})).await;
    assert_eq!((&error["code"], &error["message"]), (&json!(-32602), &json!("Unknown prompt: read_text")));
    let error =
        ask(&app, &alice, "prompts/get", json!({"name": "test_prompt_with_arguments", "arguments": {"arg1": "a"}}))
            .await;
    assert!(error["code"] == -32602 && error["message"].as_str().unwrap().contains("arg2"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_s_prompts_are_listed_with_their_arguments_and_become_messages() {
    let (app, alice) = (host().await, User::Is(ALICE));
    let listed = ask(&app, &alice, "prompts/list", json!({})).await;
    let expected = [
        "test_prompt_with_arguments",
        "test_prompt_with_embedded_resource",
        "test_prompt_with_image",
        "test_simple_prompt",
    ];
    assert_eq!(names(&listed["prompts"]), expected);
    let argument = &listed["prompts"][0]["arguments"][0];
    assert_eq!(argument, &json!({"name": "arg1", "description": "Given.", "required": true}));

    let get = async |name: &str, arguments: Value| {
        ask(&app, &alice, "prompts/get", json!({"name": name, "arguments": arguments})).await["messages"].clone()
    };
    let said = |role: &str, text: &str| json!({"role": role, "content": {"type": "text", "text": text}});
    assert_eq!(
        get("test_simple_prompt", json!({})).await,
        json!([said("user", "This is a simple prompt for testing.")])
    );
    let both = get("test_prompt_with_arguments", json!({"arg1": "x", "arg2": "y"})).await;
    assert_eq!(both, json!([said("user", "Prompt with arguments: arg1='x', arg2='y'")]));
    let file = get("test_prompt_with_embedded_resource", json!({"resourceUri": "test://x"})).await;
    assert_eq!(
        (&file[0]["content"]["resource"]["uri"], file.as_array().unwrap().len()),
        (&json!("test://x"), 2),
        "{file}"
    );
    let picture = get("test_prompt_with_image", json!({})).await;
    assert_eq!(picture[0]["content"]["type"], "image");
    assert_eq!(picture[1], said("assistant", "Please analyze the image above."));
}

/// An agent's address offers the resources and prompts of the agent's tools, and no others.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_offers_the_resources_of_its_own_tools() {
    let app = host().await;
    let agent = app.agent(&["read_text", "test_simple_prompt"]).await;
    let path = format!("/mcp/agents/{agent}");
    let ask = async |method: &str, params: Value| {
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let request = app.request(&User::Is(ALICE), reqwest::Method::POST, &path).header("accept", "application/json");
        request.json(&message).send().await.unwrap().json::<Value>().await.unwrap()
    };
    assert_eq!(names(&ask("resources/list", json!({})).await["result"]["resources"]), ["read_text"]);
    assert_eq!(names(&ask("prompts/list", json!({})).await["result"]["prompts"]), ["test_simple_prompt"]);
    let text = ask("resources/read", json!({"uri": "test://static-text"})).await;
    assert!(text["result"]["contents"][0]["text"].is_string(), "{text}");
    assert_eq!(ask("resources/read", json!({"uri": "test://mine"})).await["error"]["code"], -32002);
}
