//! The conversation as a client sends it.

use std::collections::HashMap;

use behalf_models::{Message, ToolCall};
use behalf_problem::Private;
use serde_json::Value;

use super::refusal::Refusal;
use crate::text::cut_chars;

const FIELD: &str = "messages";
/// Messages of one request. A longer conversation would not fit into any model.
const MAX_MESSAGES: usize = 2_000;
/// Characters of an unknown part's type that are repeated.
const MAX_KIND_CHARS: usize = 40;

/// A conversation, taken apart.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Conversation {
    /// The application's instructions for the model.
    pub(super) instructions: Option<String>,
    /// The earlier messages: one list per question, oldest first.
    pub(super) history: Vec<Vec<Message>>,
    /// The user's message.
    pub(super) question: String,
}

impl Conversation {
    /// Reads `messages`. The last one is the question, so it has to be the user's.
    pub(super) fn read(messages: Option<&Value>) -> Result<Self, Refusal> {
        let messages = match messages {
            Some(Value::Array(messages)) if (1..=MAX_MESSAGES).contains(&messages.len()) => messages,
            _ => return Err(bad(format!("messages must be a list of 1 to {MAX_MESSAGES} messages"))),
        };
        let mut reader = Reader::default();
        for (place, message) in messages.iter().enumerate() {
            reader.read(message).map_err(|fault| bad(format!("messages[{place}]: {fault}")))?;
        }
        reader.finish()
    }
}

#[derive(Debug, Default)]
struct Reader {
    instructions: Vec<String>,
    history: Vec<Vec<Message>>,
    /// Calls without a result so far: their names by their ids.
    open: HashMap<String, String>,
}

impl Reader {
    fn read(&mut self, message: &Value) -> Result<(), String> {
        let role = message.get("role").and_then(Value::as_str).ok_or("a message needs a role")?;
        if role != "tool" && !self.open.is_empty() {
            return Err("the results of all tool_calls must come before the next message".to_owned());
        }
        let content = message.get("content");
        match role {
            "system" | "developer" => self.instructions.push(text(content)?),
            "user" => self.history.push(vec![Message::user(text(content)?)]),
            "assistant" => {
                let tool_calls = calls(message.get("tool_calls"))?;
                self.open = tool_calls.iter().map(|call| (call.id.clone(), call.name.clone())).collect();
                let content = match content {
                    None | Some(Value::Null) => String::new(),
                    content => text(content)?,
                };
                self.say(Message::calling(content, tool_calls));
            }
            "tool" => {
                let id = message.get("tool_call_id").and_then(Value::as_str).unwrap_or_default();
                let name = self.open.remove(id).ok_or("tool_call_id names no call of the message before")?;
                let content = text(content)?;
                self.say(Message::Tool { call_id: id.to_owned(), name, content, failed: false });
            }
            _ => return Err("role must be system, developer, user, assistant or tool".to_owned()),
        }
        Ok(())
    }

    /// Adds to the exchange that goes on; a greeting begins one.
    fn say(&mut self, message: Message) {
        match self.history.last_mut() {
            Some(exchange) => exchange.push(message),
            None => self.history.push(vec![message]),
        }
    }

    fn finish(mut self) -> Result<Conversation, Refusal> {
        let question = match self.history.pop().as_deref() {
            Some([Message::User { content }]) if !content.trim().is_empty() => content.clone(),
            Some([Message::User { .. }]) => return Err(bad("the user's message is empty")),
            _ => return Err(bad("the last message must be the user's; an agent answers nothing else")),
        };
        let instructions = (!self.instructions.is_empty()).then(|| self.instructions.join("\n\n"));
        Ok(Conversation { instructions, history: self.history, question })
    }
}

fn bad(text: impl Into<Private>) -> Refusal {
    Refusal::invalid(FIELD, text)
}

/// A text, or parts that are all texts.
fn text(content: Option<&Value>) -> Result<String, String> {
    let parts = match content {
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(parts)) => parts,
        _ => return Err("content must be a text or a list of parts".to_owned()),
    };
    let part = |part: &Value| match (part.get("type").and_then(Value::as_str), part.get("text")) {
        (Some("text"), Some(Value::String(text))) => Ok(text.clone()),
        (Some(kind), _) => {
            Err(format!("parts of type {:?} are not supported; send text", cut_chars(kind, MAX_KIND_CHARS)))
        }
        _ => Err("a part needs a type".to_owned()),
    };
    parts.iter().map(part).collect::<Result<Vec<_>, _>>().map(|parts| parts.join("\n"))
}

fn calls(calls: Option<&Value>) -> Result<Vec<ToolCall>, String> {
    let calls = match calls {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(calls)) => calls,
        Some(_) => return Err("tool_calls must be a list".to_owned()),
    };
    let call = |call: &Value| {
        let of = |path: &str| call.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let (id, name, arguments) =
            of("/id").zip(of("/function/name")).zip(of("/function/arguments")).map(|((a, b), c)| (a, b, c))?;
        // Text that is no JSON stays a text, as it does where a model wrote it.
        let arguments = serde_json::from_str(&arguments).unwrap_or(Value::String(arguments));
        Some(ToolCall { id, name, arguments })
    };
    let calls: Option<Vec<_>> = calls.iter().map(call).collect();
    calls.ok_or_else(|| "a tool call needs id, function.name and function.arguments, a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use serde_json::json;

    fn read(messages: &Value) -> Option<Conversation> {
        Conversation::read(Some(messages)).inspect_err(|_| ()).ok()
    }

    #[test]
    fn a_conversation_is_instructions_exchanges_and_a_question() {
        let call = json!({ "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"a\": 1}" } });
        let read = read(&json!([
            { "role": "system", "content": "Be kind." },
            { "role": "assistant", "content": "Hello!" },
            { "role": "user", "content": "one" },
            { "role": "assistant", "content": null, "tool_calls": [call] },
            { "role": "tool", "tool_call_id": "c1", "content": "found" },
            { "role": "assistant", "content": "It is there." },
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": [{ "type": "text", "text": "two" }, { "type": "text", "text": "three" }] },
        ]))
        .expect("it is well formed");
        assert_eq!(read.instructions.as_deref(), Some("Be kind.\n\nBe brief."));
        assert_eq!(read.question, "two\nthree");
        let call = ToolCall { id: "c1".to_owned(), name: "look".to_owned(), arguments: json!({ "a": 1 }) };
        let exchange = vec![
            Message::user("one"),
            Message::calling("", vec![call.clone()]),
            Message::tool(&call, "found"),
            Message::assistant("It is there."),
        ];
        assert_eq!(read.history, [vec![Message::assistant("Hello!")], exchange]);
    }

    #[test]
    fn what_no_model_could_go_on_from_is_refused() {
        let user = json!({ "role": "user", "content": "hi" });
        let call = json!({ "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{}" } });
        let calls = json!({ "role": "assistant", "tool_calls": [call] });
        for bad in [
            json!([]),
            json!("hi"),
            json!([{ "role": "user", "content": " " }]),
            json!([user, { "role": "assistant", "content": "so" }]),
            json!([calls, user]),
            json!([{ "role": "tool", "tool_call_id": "c9", "content": "" }, user]),
            json!([{ "role": "wizard", "content": "hi" }]),
            json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "x" } }] }]),
        ] {
            let refusal = Conversation::read(Some(&bad)).expect_err("it is to be refused");
            assert_eq!(refusal.into_response().status(), 400, "{bad}");
        }
    }
}
