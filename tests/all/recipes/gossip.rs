//! A chat model that calls what it is offered, and tells everything that it was told: whatever reaches it reaches an answer.

use behalf_tests::Turn;
use serde_json::{Value, json};

/// The model's answer to a request for a completion.
pub(super) fn answer(request: &Value) -> Turn {
    let messages = request["messages"].as_array().unwrap();
    let text = |message: &Value| message["content"].as_str().unwrap_or_default().to_owned();
    let of = |messages: &[Value], role: &str| {
        messages.iter().filter(|message| message["role"] == role).map(text).collect::<Vec<_>>().join("\n")
    };
    let asked = messages.iter().rposition(|message| message["role"] == "user").unwrap();
    let (question, instructions) = (text(&messages[asked]), of(messages, "system"));
    if messages[asked..].iter().any(|message| message["role"] == "tool") {
        return say(format!("I was told: {}", of(&messages[asked..], "tool")));
    }
    if let Some((name, arguments)) = command(&question).filter(|(name, _)| parameters(request, name).is_some()) {
        return call(name, arguments);
    }
    if let Some(parameters) = parameters(request, "search_user_articles") {
        let mut arguments = json!({ "query": question });
        if parameters["properties"]["session_token"].is_object() {
            arguments["session_token"] = json!(session_token(&instructions));
        }
        return call("search_user_articles", arguments);
    }
    if parameters(request, "knowledge_search").is_some() && !instructions.contains("Context:") {
        return call("knowledge_search", json!({ "query": question }));
    }
    say(format!("I know this: {instructions}"))
}

/// What a tool takes, if it is offered.
fn parameters<'a>(request: &'a Value, name: &str) -> Option<&'a Value> {
    let tools = request["tools"].as_array()?;
    tools.iter().find(|tool| tool["function"]["name"] == name).map(|tool| &tool["function"]["parameters"])
}

/// `/tool {…}`, which is also how the built-in model is told what to call.
fn command(message: &str) -> Option<(&str, Value)> {
    let (name, arguments) = message.strip_prefix('/')?.split_once(' ')?;
    Some((name, serde_json::from_str(arguments).ok()?))
}

fn session_token(instructions: &str) -> &str {
    let (_, rest) = instructions.split_once("session_token = ").expect("the prompt has the token");
    rest.split_whitespace().next().unwrap()
}

fn say(text: String) -> Turn {
    Turn::Say(text.leak())
}

fn call(name: &str, arguments: Value) -> Turn {
    Turn::Call(vec![(name.to_owned().leak(), arguments)])
}
