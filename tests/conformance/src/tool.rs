//! A tool of the plugin, read from its definition.

use behalf_schema::Schema;
use serde_json::{Value, json};

/// A tool with its schemas and annotations.
#[derive(Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) input: Value,
    pub(crate) fits: Schema,
    pub(crate) output: Option<Schema>,
    pub(crate) read_only: bool,
    pub(crate) idempotent: bool,
    pub(crate) additive: bool,
    /// What it says of the world outside of the project, if it says something.
    pub(crate) open_world: Option<bool>,
}

impl Tool {
    /// Whether it says that it stays within the project.
    pub(crate) fn is_closed(&self) -> bool {
        self.open_world == Some(false)
    }

    /// Reads definitions that a host has accepted.
    pub(crate) fn all(definitions: &Value) -> Vec<Self> {
        definitions.as_array().into_iter().flatten().filter_map(Self::read).collect()
    }

    fn read(definition: &Value) -> Option<Self> {
        let input = definition.get("inputSchema").cloned().unwrap_or_else(|| json!({"type": "object"}));
        let hint = |name: &str| definition.pointer(&format!("/annotations/{name}")).and_then(Value::as_bool);
        Some(Self {
            name: definition.get("name")?.as_str()?.to_owned(),
            fits: Schema::new(&input).ok()?,
            input,
            output: definition
                .get("outputSchema")
                .filter(|schema| !schema.is_null())
                .and_then(|schema| Schema::new(schema).ok()),
            read_only: hint("readOnlyHint") == Some(true),
            idempotent: hint("idempotentHint") == Some(true),
            additive: hint("destructiveHint") == Some(false),
            open_world: hint("openWorldHint"),
        })
    }
}
