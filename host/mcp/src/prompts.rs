//! Prompts: tools whose definitions say that they are. To get one is to call its tool.

use behalf_contracts::ToolInfo;
use rmcp::model::{GetPromptResult, Prompt, PromptArgument, PromptMessage, Role};
use serde::Deserialize;
use serde_json::Value;

use crate::convert;

/// Messages of a prompt.
const MAX_MESSAGES: usize = 100;

/// A tool as a prompt, where it is one.
pub(crate) fn prompt(info: &ToolInfo) -> Option<Prompt> {
    if !info.prompt {
        return None;
    }
    let required: Vec<_> = strings(info.input_schema.get("required")).collect();
    let properties = info.input_schema.get("properties").and_then(Value::as_object);
    let arguments = properties.into_iter().flatten().map(|(name, schema)| {
        let mut argument = PromptArgument::new(name.clone()).with_required(required.contains(&name.as_str()));
        argument.description = schema.get("description").and_then(Value::as_str).map(str::to_owned);
        argument
    });
    let mut prompt = Prompt::new(info.name.clone(), Some(info.description.clone()), Some(arguments.collect()));
    prompt.title.clone_from(&info.title);
    Some(prompt)
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What the tool answered as messages: a text or content is said by the user; `{"messages": [{"role", "content"}]}` and nothing else says
/// who says what.
pub(crate) fn messages(info: &ToolInfo, json: &str) -> GetPromptResult {
    let value = serde_json::from_str::<Value>(json).unwrap_or_default();
    let said = |text: &str| vec![PromptMessage::new_text(Role::User, text)];
    let messages = match &value {
        Value::String(text) => said(text),
        value => match (convert::blocks(value), written(value)) {
            (Some(blocks), _) => blocks.into_iter().map(|block| PromptMessage::new(Role::User, block)).collect(),
            (None, Some(messages)) => messages,
            (None, None) => said(json),
        },
    };
    GetPromptResult::new(messages).with_description(info.description.clone())
}

fn written(value: &Value) -> Option<Vec<PromptMessage>> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    let messages = fields.get("messages")?.as_array()?;
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return None;
    }
    let read = |message: &Value| {
        let role = Role::deserialize(message.get("role")?).ok()?;
        let content = serde_json::json!({ "content": [message.get("content")?] });
        let block = convert::blocks(&content)?.pop()?;
        Some(PromptMessage::new(role, block))
    };
    messages.iter().map(read).collect()
}
