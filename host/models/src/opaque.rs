//! Fields of a model's turn that mean something to its provider alone, and that it wants to read again.
//!
//! Gemini signs tool calls (`extra_content.google.thought_signature`) and refuses a conversation in which a signature is missing
//! (<https://ai.google.dev/gemini-api/docs/thought-signatures>). `DeepSeek` and Moonshot want the `reasoning_content` that stood
//! beside tool calls (<https://api-docs.deepseek.com/guides/thinking_mode>), `OpenRouter` its `reasoning_details`
//! (<https://openrouter.ai/docs/use-cases/reasoning-tokens>), Anthropic its thinking blocks.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a provider wants to read again with a turn. Others do not get it: they refuse fields that they do not know, and signatures
/// that they did not make.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Opaque {
    /// Who wrote it: a digest of the endpoint and the model.
    pub origin: String,
    /// Fields of the message, by their names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub message: Map<String, Value>,
    /// Fields of tool calls, by the calls' ids: one object each.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub calls: Map<String, Value>,
}

impl Opaque {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.message.is_empty() && self.calls.is_empty()
    }

    /// Bytes of its fields.
    pub fn size(&self) -> usize {
        [&self.message, &self.calls].into_iter().flatten().map(|(name, value)| name.len() + bytes(value)).sum()
    }
}

/// About the bytes of a value as JSON.
pub(crate) fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| bytes(item) + 1).sum(),
        Value::Object(fields) => fields.iter().map(|(name, field)| name.len() + bytes(field) + 1).sum(),
        _ => 8,
    }
}

/// Adds the next part of a field. Texts go on, lists get more entries, and entries that go on are joined.
pub(crate) fn add(field: &mut Value, part: Value) {
    match (field, part) {
        (Value::String(text), Value::String(more)) => text.push_str(&more),
        (Value::Array(entries), Value::Array(more)) => more.into_iter().for_each(|entry| add_entry(entries, entry)),
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                match fields.get_mut(&name) {
                    Some(own @ Value::Object(_)) => add(own, value),
                    _ => drop(fields.insert(name, value)),
                }
            }
        }
        (_, Value::Null) => {}
        (field, part) => *field = part,
    }
}

/// The keys of an entry of `reasoning_details` whose texts come in pieces.
const PIECES: [&str; 4] = ["text", "summary", "data", "signature"];

/// Adds an entry of `reasoning_details`. One of the same kind and number as the last goes on.
fn add_entry(entries: &mut Vec<Value>, entry: Value) {
    let same = |last: &Value, key: &str| last.get(key) == entry.get(key);
    let goes_on = entries
        .last()
        .is_some_and(|last| entry.get("index").is_some() && ["type", "index"].into_iter().all(|key| same(last, key)));
    match (entries.last_mut(), entry) {
        (Some(Value::Object(last)), Value::Object(more)) if goes_on => {
            for (name, value) in more.into_iter().filter(|(_, value)| !value.is_null()) {
                match last.get_mut(&name) {
                    Some(own @ Value::String(_)) if PIECES.contains(&name.as_str()) => add(own, value),
                    _ => drop(last.insert(name, value)),
                }
            }
        }
        (_, entry) => entries.push(entry),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_of_a_field_become_one() {
        let mut field = json!([{"type": "reasoning.text", "index": 0, "text": "a", "signature": null}]);
        add(&mut field, json!([{"type": "reasoning.text", "index": 0, "text": "b", "signature": "s"}]));
        add(&mut field, json!([{"type": "reasoning.encrypted", "index": 1, "data": "x"}]));
        let expected = json!([
            {"type": "reasoning.text", "index": 0, "text": "ab", "signature": "s"},
            {"type": "reasoning.encrypted", "index": 1, "data": "x"},
        ]);
        assert_eq!(field, expected);
        let mut field = json!({"google": {"thought": true}});
        add(&mut field, json!({"google": {"thought_signature": "s"}}));
        assert_eq!(field, json!({"google": {"thought": true, "thought_signature": "s"}}));
    }
}
