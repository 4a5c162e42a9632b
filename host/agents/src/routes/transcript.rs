//! A session's runs as messages.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::store::Exchange;

/// One message of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SessionMessage {
    /// `user` or `assistant`.
    role: Option<String>,
    /// The text.
    content: Option<String>,
    /// The run that it belongs to.
    run_id: String,
    /// RFC 3339.
    timestamp: Option<String>,
    /// What the numbers in the text stand for; only in answers for which citations were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    citations: Option<Value>,
    /// Whether thoughts were asked for; only in answers of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_requested: Option<bool>,
    /// The model's thoughts; only where it showed some.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<String>,
    /// How long the model thought; only where it showed some thoughts.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_duration_ms: Option<u64>,
}

/// What one completed run said, as messages.
pub(super) fn messages_of(exchange: &Exchange) -> Vec<SessionMessage> {
    let asked = items(&exchange.input_messages).iter().map(|message| SessionMessage {
        role: text(message, "role"),
        content: text(message, "content"),
        run_id: exchange.run_id.clone(),
        timestamp: Some(exchange.asked_at.clone()),
        citations: None,
        reasoning_requested: None,
        reasoning: None,
        reasoning_duration_ms: None,
    });
    let thoughts: Vec<_> = items(&exchange.reasoning_steps).iter().filter_map(|step| text(step, "content")).collect();
    let has_thoughts = !thoughts.is_empty();
    let answer = SessionMessage {
        role: Some("assistant".to_owned()),
        content: exchange.content.clone(),
        run_id: exchange.run_id.clone(),
        timestamp: exchange.answered_at.clone(),
        citations: exchange.citations.clone(),
        reasoning_requested: exchange.reasoning_requested,
        reasoning: has_thoughts.then(|| thoughts.join("\n\n")),
        reasoning_duration_ms: has_thoughts.then(|| thinking_ms(&exchange.steps)),
    };
    asked.chain([answer]).collect()
}

/// How long the model thought in all steps, in whole milliseconds.
fn thinking_ms(steps: &Value) -> u64 {
    items(steps).iter().filter_map(|step| step.get("reasoning_ms")?.as_u64()).sum()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value, name: &str) -> Option<String> {
    value.get(name)?.as_str().map(str::to_owned)
}
