//! Custom tools: an operator describes them, a server of theirs carries them out, and is told by a signed assertion who
//! calls.

mod answer;
mod call;
mod endpoint;
mod manage;

use std::fmt;

use serde_json::{Value, json};

use super::definition::{MAX_DESCRIPTION_CHARS, ToolInfo, ToolKind};
use super::schema::{Schema, SchemaError};
use crate::db::CustomToolRow;
use endpoint::Endpoint;

pub use endpoint::EndpointError;
pub use manage::CustomToolError;
pub(super) use manage::MANAGED_PREFIX;

/// A custom tool as this host holds it.
pub(super) struct CustomTool {
    pub(super) row: CustomToolRow,
    pub(super) info: ToolInfo,
    input: Schema,
    /// None where the operator has not said yet.
    endpoint: Option<Endpoint>,
}

impl fmt::Debug for CustomTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomTool").field("info", &self.info).finish_non_exhaustive()
    }
}

impl CustomTool {
    /// Reads and checks everything that a call needs.
    pub(super) fn new(row: CustomToolRow) -> Result<Self, CustomToolError> {
        if !is_custom_name(&row.name) {
            return Err(CustomToolError::Name(row.name.chars().take(100).collect()));
        }
        if !(1..=MAX_DESCRIPTION_CHARS).contains(&row.description.chars().count()) {
            return Err(CustomToolError::Description);
        }
        let input_schema = as_object_schema(&row.input_schema)?;
        let input = Schema::new(&input_schema)?;
        let endpoint = Endpoint::read(&row.config)?;
        let info = ToolInfo {
            id: Some(row.id),
            kind: ToolKind::Http,
            name: row.name.clone(),
            title: None,
            description: row.description.clone(),
            input_schema,
            output_schema: None,
            annotations: json!({ "openWorldHint": true }),
            read_only: false,
            plugin: None,
            reaches_out: true,
        };
        Ok(Self { row, info, input, endpoint })
    }
}

/// Arguments are an object, whether or not the schema says so; models want it said.
pub(super) fn as_object_schema(schema: &Value) -> Result<Value, SchemaError> {
    let Value::Object(fields) = schema else {
        return Err(SchemaError::Invalid("it must be a JSON object".to_owned()));
    };
    let mut fields = fields.clone();
    if fields.entry("type").or_insert_with(|| json!("object")) != "object" {
        return Err(SchemaError::Invalid("its type must be \"object\"".to_owned()));
    }
    Ok(Value::Object(fields))
}

/// `[a-zA-Z][a-zA-Z0-9_-]{0,63}`, but no uuid, which would be taken for an id, and no name of an MCP server's tool.
fn is_custom_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && uuid::Uuid::try_parse(name).is_err()
        && !name.starts_with(MANAGED_PREFIX)
}
