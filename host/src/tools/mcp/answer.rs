use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use crate::sandbox::{CallError, is_result};
use crate::tools::outgoing::{OwnHeaders, failed};

/// Characters of a result; the platform's bound.
const MAX_CHARS: usize = 50_000;
/// Characters of a failure's words.
const MAX_ERROR_CHARS: usize = 2_000;

/// What a server's tool answered: its structured content, else its text, which may be JSON, else its blocks without their
/// bytes.
pub(super) fn read_answer(answer: &CallToolResult, own: &OwnHeaders) -> Result<Value, CallError> {
    let all_text = || {
        let texts = answer.content.iter().map(|block| match block {
            ContentBlock::Text(text) => Some(text.text.as_str()),
            _ => None,
        });
        texts.collect::<Option<Vec<_>>>().map(|texts| texts.join("\n"))
    };
    if answer.is_error == Some(true) {
        let text = own.remove_from(all_text().unwrap_or_default());
        let text = if text.trim().is_empty() { "the tool failed without a word" } else { &text };
        return Err(failed("mcp_tool_error", cut(text, MAX_ERROR_CHARS), false));
    }
    if let Some(structured) = &answer.structured_content {
        return bounded(&own.remove_from(structured.to_string()));
    }
    let Some(text) = all_text() else {
        let blocks = answer.content.iter().map(without_bytes).collect();
        return bounded(&own.remove_from(Value::Array(blocks).to_string()));
    };
    let text = own.remove_from(text);
    let is_json = is_result(&text) && text.len() <= MAX_CHARS;
    let json = if is_json { serde_json::from_str(&text).ok() } else { None };
    Ok(json.unwrap_or_else(|| Value::String(cut(&text, MAX_CHARS))))
}

fn bounded(text: &str) -> Result<Value, CallError> {
    if text.len() > MAX_CHARS {
        return Err(CallError::Output(MAX_CHARS));
    }
    if !is_result(text) {
        return Err(CallError::NotJson);
    }
    serde_json::from_str(text).map_err(|_| CallError::NotJson)
}

/// Pictures and sounds are nothing that a model of words reads.
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

/// The beginning of a text.
pub(super) fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}
