//! Reads what an MCP server's tool answered.

use behalf_sandbox::{CallError, is_result};
use rmcp::model::{CallToolResult, ContentBlock};
use serde_json::{Value, json};

use crate::call_failure::failed;
use crate::cut::cut;
use crate::outgoing::HostHeaders;

/// Characters of a result; the platform's bound.
const MAX_CHARS: usize = 50_000;
/// Why an answer with a number that this host cannot hold is not passed on.
const ROUNDED: &str = "the tool's server answered with a number that would be rounded on its way; it can send the number as a string, \
                       or the same JSON as text beside its structured content";
/// Characters of the message of a failure.
const MAX_ERROR_CHARS: usize = 2_000;

/// The answer of a server's tool for a model: its structured content; else its text, which may be JSON; else its blocks without
/// their bytes.
///
/// The answer is JSON. `is_rounded` says that a number of the structured content was rounded when the protocol's message was read;
/// then the text has to say the same.
pub(super) fn read_answer(answer: &CallToolResult, host: &HostHeaders, is_rounded: bool) -> Result<String, CallError> {
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
        if is_rounded {
            let written = all_text().filter(|text| is_result(text) && is_same(text, structured));
            let written = written.ok_or_else(|| failed("mcp_number", ROUNDED, false))?;
            return bounded(host.remove_from(written));
        }
        return bounded(host.remove_from(structured.to_string()));
    }
    let Some(text) = all_text() else {
        let blocks = answer.content.iter().map(without_bytes).collect();
        return bounded(host.remove_from(Value::Array(blocks).to_string()));
    };
    let text = host.remove_from(text);
    let is_json = is_result(&text) && text.len() <= MAX_CHARS;
    Ok(if is_json { text.trim().to_owned() } else { Value::String(cut(&text, MAX_CHARS)).to_string() })
}

/// Whether a text is what the structured content was before its numbers were rounded.
fn is_same(text: &str, structured: &Value) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|read| read == *structured)
}

/// A text that is JSON and short enough.
fn bounded(text: String) -> Result<String, CallError> {
    if text.len() > MAX_CHARS {
        return Err(CallError::Output(MAX_CHARS));
    }
    if !is_result(&text) {
        return Err(CallError::NotJson);
    }
    Ok(text)
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
