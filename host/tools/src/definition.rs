//! Reads the definitions of tools that a plugin returns.

use std::collections::HashSet;

use behalf_contracts::{ToolInfo, ToolKind, hints};
use behalf_sandbox::{Effects, Grants, OwnWord};
use behalf_schema::{Schema, SchemaError, as_object_schema};
use serde_json::{Value, json};
use thiserror::Error;

use crate::cut::cut;
use crate::offer::{read_resource, take_offer};
use crate::store::full_name;

/// How names of MCP servers' tools begin. The host gives them, so no other tool may have one.
pub(crate) const MCP_PREFIX: &str = "mcp__";
/// Tools of one plugin.
const MAX_TOOLS: usize = 64;
/// Characters of a description; models read each description with every message.
pub(crate) const MAX_DESCRIPTION_CHARS: usize = 4_096;

/// Why a plugin's definitions are not accepted.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// The answer is not a JSON array of objects.
    #[error("`definitions` must return a JSON array of tool definitions: {0}")]
    Form(String),
    /// No tool, or more tools than a plugin may have.
    #[error("a plugin has 1 to {MAX_TOOLS} tools; this one has {0}")]
    Count(usize),
    /// A name that a tool may not have.
    #[error("{0:?} is no tool name; use [a-z][a-z0-9_]{{0,63}}")]
    Name(String),
    /// Two tools of one name.
    #[error("two tools are named {0:?}")]
    Twice(String),
    /// No description, or one that is too long.
    #[error("tool {0:?} needs a description of 1 to {MAX_DESCRIPTION_CHARS} characters")]
    Description(String),
    /// A resource or a prompt that cannot be offered.
    #[error("tool {0:?}: {1}")]
    Offer(String, &'static str),
    /// A schema that cannot be used.
    #[error("{1} of tool {0:?}: {2}")]
    Schema(String, &'static str, SchemaError),
}

/// Reads the answer of a plugin's `definitions`: the name and the normalised definition of each tool.
pub(crate) fn read_definitions(text: &str) -> Result<Vec<(String, Value)>, DefinitionError> {
    let parsed: Value = serde_json::from_str(text).map_err(|error| DefinitionError::Form(error.to_string()))?;
    let Value::Array(items) = parsed else {
        return Err(DefinitionError::Form("it is not an array".to_owned()));
    };
    if items.is_empty() || items.len() > MAX_TOOLS {
        return Err(DefinitionError::Count(items.len()));
    }
    let mut seen = HashSet::new();
    let mut tools = Vec::with_capacity(items.len());
    for item in items {
        let (name, definition) = read_one(item)?;
        if !seen.insert(name.clone()) {
            return Err(DefinitionError::Twice(name));
        }
        tools.push((name, definition));
    }
    Ok(tools)
}

/// Whether a host would take the answer of a plugin's `definitions`. Its schemas are prepared, which may take a while.
pub fn check_definitions(text: &str) -> Result<(), DefinitionError> {
    read_definitions(text).map(drop)
}

/// Reads and checks one definition.
fn read_one(item: Value) -> Result<(String, Value), DefinitionError> {
    let Value::Object(mut fields) = item else {
        return Err(DefinitionError::Form("each definition must be an object".to_owned()));
    };
    let name = match fields.remove("name") {
        Some(Value::String(name)) if is_tool_name(&name) => name,
        Some(Value::String(name)) => return Err(DefinitionError::Name(cut(&name, 100))),
        _ => return Err(DefinitionError::Form("each definition needs a name".to_owned())),
    };
    let description = match fields.remove("description") {
        Some(Value::String(text)) if (1..=MAX_DESCRIPTION_CHARS).contains(&text.chars().count()) => text,
        _ => return Err(DefinitionError::Description(name)),
    };
    let input = fields.remove("inputSchema").unwrap_or_else(|| json!({"type": "object"}));
    let fail = |which, error| DefinitionError::Schema(name.clone(), which, error);
    let input = as_object_schema(&input).map_err(|error| fail("inputSchema", error))?;
    Schema::new(&input).map_err(|error| fail("inputSchema", error))?;
    let output = fields.remove("outputSchema").filter(|schema| !schema.is_null());
    if let Some(output) = &output {
        Schema::new(output).map_err(|error| fail("outputSchema", error))?;
    }
    let said = fields.remove("annotations").unwrap_or_default();
    let annotations: serde_json::Map<_, _> = ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]
        .into_iter()
        .filter_map(|hint| Some((hint.to_owned(), Value::Bool(said.get(hint)?.as_bool()?))))
        .collect();
    let title = fields.remove("title").filter(Value::is_string);
    let read_only = annotations.get("readOnlyHint") == Some(&Value::Bool(true));
    let (resource, prompt) =
        take_offer(&mut fields, &input, read_only).map_err(|reason| DefinitionError::Offer(name.clone(), reason))?;
    let mut definition = json!({
        "name": name, "title": title, "description": description,
        "inputSchema": input, "outputSchema": output, "annotations": annotations,
    });
    // Most tools are neither, and their stored definitions stay as they are.
    if let Some(resource) = resource {
        definition["resource"] = json!(resource);
    }
    if prompt {
        definition["prompt"] = json!(true);
    }
    Ok((name, definition))
}

/// Whether a name is of the form `[a-z][a-z0-9_]{0,63}`.
fn is_tool_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The name that a tool has in its plugin, from a definition that [`read_definitions`] normalised.
pub(crate) fn own_name(definition: &Value) -> &str {
    definition.get("name").and_then(Value::as_str).unwrap_or_default()
}

/// A tool as callers and models see it, from a definition that [`read_definitions`] normalised and the registry stored with the name
/// that callers use.
pub(crate) fn tool_info(mut definition: Value, plugin: &str, grants: &Grants) -> ToolInfo {
    let said = |hint: &str| definition.get("annotations").and_then(|hints| hints.get(hint)).and_then(Value::as_bool);
    let word = OwnWord { read_only: said("readOnlyHint").unwrap_or(false), open_world: said("openWorldHint") };
    let effects = Effects::enforced(grants, word);
    let annotations = hints(effects, said("idempotentHint"));
    let full_name = Some(full_name(plugin, own_name(&definition)));
    let resource = definition.get("resource").and_then(|resource| read_resource(resource).ok());
    let prompt = definition.get("prompt") == Some(&Value::Bool(true));
    let mut take = |key: &str| definition.get_mut(key).map(Value::take).unwrap_or_default();
    ToolInfo {
        id: None,
        kind: ToolKind::Wasm,
        name: text(take("calledBy")).or_else(|| text(take("name"))).unwrap_or_default(),
        title: text(take("title")),
        description: text(take("description")).unwrap_or_default(),
        input_schema: take("inputSchema"),
        output_schema: Some(take("outputSchema")).filter(|schema| !schema.is_null()),
        annotations,
        resource,
        prompt,
        plugin: Some(plugin.to_owned()),
        full_name,
        effects,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}
