//! Reads what an MCP server's tool answered.

use behalf_sandbox::{CallError, is_result};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use crate::call_failure::failed;
use crate::cut::cut;
use crate::outgoing::HostHeaders;

/// Characters of a result; the platform's bound.
const MAX_CHARS: usize = 50_000;
/// Characters of the message of a failure.
const MAX_ERROR_CHARS: usize = 2_000;

/// The answer of a server's tool for a model: its structured content; else its text, which may be JSON; else its blocks without
/// their bytes.
pub(super) fn read_answer(answer: &CallToolResult, host: &HostHeaders) -> Result<Value, CallError> {
    let all_text = || {
        let texts = answer.content.iter().map(|block| match block {
            ContentBlock::Text(text) => Some(text.text.as_str()),
            _ => None,
        });
        texts.collect::<Option<Vec<_>>>().map(|texts| texts.join("\n"))
    };
    if answer.is_error == Some(true) {
        let text = host.remove_from(all_text().unwrap_or_default());
        let text = if text.trim().is_empty() { "the tool failed without a word" } else { &text };
        return Err(failed("mcp_tool_error", cut(text, MAX_ERROR_CHARS), false));
    }
    if let Some(structured) = &answer.structured_content {
        return bounded(&host.remove_from(structured.to_string()));
    }
    let Some(text) = all_text() else {
        let blocks = answer.content.iter().map(without_bytes).collect();
        return bounded(&host.remove_from(Value::Array(blocks).to_string()));
    };
    let text = host.remove_from(text);
    let is_json = is_result(&text) && text.len() <= MAX_CHARS;
    let json = if is_json { serde_json::from_str(&text).ok() } else { None };
    Ok(json.unwrap_or_else(|| Value::String(cut(&text, MAX_CHARS))))
}

/// The JSON of a text that is short enough.
fn bounded(text: &str) -> Result<Value, CallError> {
    if text.len() > MAX_CHARS {
        return Err(CallError::Output(MAX_CHARS));
    }
    if !is_result(text) {
        return Err(CallError::NotJson);
    }
    serde_json::from_str(text).map_err(|_| CallError::NotJson)
}

/// A block without the bytes of its picture, sound or file, which a model of text cannot read.
fn without_bytes(block: &ContentBlock) -> Value {
    match block {
        ContentBlock::Text(text) => json!({ "type": "text", "text": text.text }),
        ContentBlock::Image(image) => json!({ "type": "image", "mimeType": image.mime_type }),
        ContentBlock::Audio(audio) => json!({ "type": "audio", "mimeType": audio.mime_type }),
        other => {
            let mut value = serde_json::to_value(other).unwrap_or_default();
            if let Some(resource) = value.get_mut("resource").and_then(Value::as_object_mut) {
                resource.remove("blob");
            }
            value
        }
    }
}
