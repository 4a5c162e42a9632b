//! Writes the body of a request.

use genai::chat::{JsonSchemaDialect, sanitize_json_schema};
use serde_json::{Value, json};

use crate::chat::{ChatRequest, Message, ReasoningEffort, ToolCall, ToolSpec};

/// `OpenAI`'s newer models refuse `max_tokens`; other endpoints know only that.
const NEW_LIMIT: [&str; 6] = ["gpt-5", "gpt-6", "o1", "o3", "o4", "codex"];

/// The body of a streamed request. Fields without a value are left out, because endpoints refuse fields they do not
/// know.
pub(super) fn body(request: ChatRequest, model: &str) -> Value {
    let messages: Vec<_> = request.messages.into_iter().map(message).collect();
    let mut body = json!({
        "model": model,
        "stream": true,
        "stream_options": {"include_usage": true},
        "messages": messages,
    });
    if !request.tools.is_empty() {
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    if let Some(temperature) = request.temperature {
        body["temperature"] = json!(temperature);
    }
    if let Some(max_tokens) = request.max_tokens {
        let is_new = NEW_LIMIT.iter().any(|prefix| model.starts_with(prefix));
        body[if is_new { "max_completion_tokens" } else { "max_tokens" }] = json!(max_tokens);
    }
    if let Some(effort) = request.reasoning_effort {
        body["reasoning_effort"] = json!(effort_word(effort));
    }
    if let Some(format) = request.response_format {
        // Strict mode needs a schema that allows no other properties and requires all of them.
        let schema = sanitize_json_schema(&format.schema, JsonSchemaDialect::OpenAiStrict);
        let format = json!({"name": format.name, "strict": true, "schema": schema});
        body["response_format"] = json!({"type": "json_schema", "json_schema": format});
    }
    body
}

fn message(message: Message) -> Value {
    match message {
        Message::System { content } => json!({"role": "system", "content": content}),
        Message::User { content } => json!({"role": "user", "content": content}),
        Message::Assistant { content, tool_calls } if tool_calls.is_empty() => {
            json!({"role": "assistant", "content": content})
        }
        Message::Assistant { content, tool_calls } => {
            let calls: Vec<_> = tool_calls.into_iter().map(call).collect();
            // Some endpoints read an empty text beside calls as an empty answer.
            let content = if content.is_empty() { Value::Null } else { Value::String(content) };
            json!({"role": "assistant", "content": content, "tool_calls": calls})
        }
        Message::Tool { call_id, content, .. } => {
            json!({"role": "tool", "tool_call_id": call_id, "content": content})
        }
    }
}

fn call(call: ToolCall) -> Value {
    // Servers that render templates need an object, even if the model wrote something else.
    let arguments = match call.arguments {
        arguments @ Value::Object(_) => arguments,
        unreadable => json!({"unreadable_arguments": unreadable}),
    };
    let arguments = arguments.to_string();
    json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
}

fn tool(spec: &ToolSpec) -> Value {
    let function = json!({
        "name": spec.name,
        "description": spec.description,
        "parameters": spec.parameters,
    });
    json!({"type": "function", "function": function})
}

fn effort_word(effort: ReasoningEffort) -> &'static str {
    match effort {
        ReasoningEffort::None => "none",
        ReasoningEffort::Minimal => "minimal",
        ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
    }
}
