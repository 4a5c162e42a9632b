//! Converts tools and their results to the protocol's types.

use behalf_contracts::{ToolInfo, content_blocks};
use behalf_schema::{Fault, inexact_number};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::SourceError;

/// The field that holds a result which is no object.
const RESULT: &str = "result";

/// A tool as a client sees it.
pub(crate) fn tool(info: &ToolInfo) -> Tool {
    let mut tool = Tool::new(info.name.clone(), info.description.clone(), object(&info.input_schema));
    tool.title.clone_from(&info.title);
    let hint = |name: &str| info.annotations.get(name).and_then(Value::as_bool);
    tool.annotations = Some(ToolAnnotations::from_raw(
        info.title.clone(),
        hint("readOnlyHint"),
        hint("destructiveHint"),
        hint("idempotentHint"),
        hint("openWorldHint"),
    ));
    tool.output_schema = output_schema(info).map(std::sync::Arc::new);
    tool
}

/// What a call returned. The text is the tool's own JSON; a text by itself is shown as it is.
pub(crate) fn result(info: &ToolInfo, json: &str) -> CallToolResult {
    if let Some(fault) = inexact_number(json) {
        return exact_text(info, json, &fault);
    }
    let Ok(value) = serde_json::from_str::<Value>(json) else {
        return CallToolResult::error(vec![ContentBlock::text("the tool returned something that is not JSON")]);
    };
    match (&info.output_schema, value) {
        (None, Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
        (None, value) if let Some(blocks) = blocks(&value) => CallToolResult::success(blocks),
        (schema, value) => {
            let wrapped = match schema {
                Some(schema) => !is_of_objects(schema),
                None => !value.is_object(),
            };
            let mut result = CallToolResult::success(vec![ContentBlock::text(json)]);
            result.structured_content = Some(if wrapped { json!({ RESULT: value }) } else { value });
            result
        }
    }
}

/// A result with a number that would be rounded as data. As text it stays what it is, but a tool with a schema has to give data.
fn exact_text(info: &ToolInfo, json: &str, fault: &Fault) -> CallToolResult {
    if info.output_schema.is_none() {
        return CallToolResult::success(vec![ContentBlock::text(json)]);
    }
    let place = if fault.pointer.is_empty() { "/" } else { &fault.pointer };
    let reason = format!("the tool's result cannot be passed on as data, at {place}: {}", fault.message);
    CallToolResult::error(vec![ContentBlock::text(reason)])
}

/// The blocks of a result in the protocol's own form.
pub(crate) fn blocks(value: &Value) -> Option<Vec<ContentBlock>> {
    content_blocks(value)?;
    // With what the protocol lets a block have besides.
    let blocks = value.get("content")?.as_array()?;
    blocks.iter().map(|block| ContentBlock::deserialize(block).ok()).collect()
}

/// Arguments that the protocol has as texts, as the tool's schema wants them.
pub(crate) fn arguments(info: &ToolInfo, texts: JsonObject) -> JsonObject {
    let kind_of = |name: &str| info.input_schema.get("properties")?.get(name)?.get("type")?.as_str();
    let typed = |(name, value): (String, Value)| {
        let value = match (&value, kind_of(&name)) {
            (Value::String(text), Some("integer" | "number" | "boolean")) => {
                serde_json::from_str(text).ok().filter(|_| inexact_number(text).is_none()).unwrap_or(value)
            }
            _ => value,
        };
        (name, value)
    };
    texts.into_iter().map(typed).collect()
}

/// A failed call as a result. A model reads the text and can call again with other arguments.
pub(crate) fn failure(error: &SourceError) -> CallToolResult {
    let text = match error {
        SourceError::Failed(text) => text.for_caller().to_owned(),
        SourceError::UnknownTool => error.to_string(),
    };
    CallToolResult::error(vec![ContentBlock::text(text)])
}

/// The protocol knows objects only, so every other result is put into a field of one; [`result`] does the same.
fn output_schema(info: &ToolInfo) -> Option<JsonObject> {
    let schema = info.output_schema.as_ref()?;
    if is_of_objects(schema) {
        return schema.as_object().cloned();
    }
    // References are paths from the schema's root, and would be wrong below another root.
    if has_reference(schema) {
        return None;
    }
    let wrapped = json!({ "type": "object", "properties": { RESULT: schema }, "required": [RESULT] });
    wrapped.as_object().cloned()
}

fn is_of_objects(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("object"))
}

fn has_reference(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => {
            fields.iter().any(|(name, value)| matches!(name.as_str(), "$ref" | "$dynamicRef") || has_reference(value))
        }
        Value::Array(items) => items.iter().any(has_reference),
        _ => false,
    }
}

fn object(schema: &Value) -> JsonObject {
    schema.as_object().cloned().unwrap_or_else(|| Map::from_iter([("type".to_owned(), json!("object"))]))
}
