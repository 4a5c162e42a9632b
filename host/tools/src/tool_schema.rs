//! The schemas of a registered tool: of its arguments and of its result. They were found usable when the tool was registered, so the
//! first call prepares them.

use std::sync::Arc;

use behalf_contracts::ToolInfo;
use behalf_problem::LogText as _;
use behalf_schema::{Schema, SchemaError, SchemaSource};
use serde_json::Value;

/// A schema that stays where the tool is described.
#[derive(Debug)]
enum ToolSchema {
    Input(Arc<ToolInfo>),
    Output(Arc<ToolInfo>),
}

impl SchemaSource for ToolSchema {
    fn schema(&self) -> &Value {
        match self {
            Self::Input(info) => &info.input_schema,
            Self::Output(info) => info.output_schema.as_ref().unwrap_or(&Value::Bool(true)),
        }
    }

    fn unusable(&self, error: &SchemaError) {
        let (Self::Input(info) | Self::Output(info)) = self;
        tracing::error!(tool.name = %info.name, error = error.log_text(), "a stored schema cannot be used");
    }
}

/// The schema of a tool's arguments, which its first call prepares.
pub(crate) fn input_schema(tool: &Arc<ToolInfo>) -> Schema {
    Schema::deferred(ToolSchema::Input(Arc::clone(tool)))
}

/// The schema of a tool's result, if the tool has one; its first call prepares it.
pub(crate) fn output_schema(tool: &Arc<ToolInfo>) -> Option<Schema> {
    tool.output_schema.as_ref()?;
    Some(Schema::deferred(ToolSchema::Output(Arc::clone(tool))))
}
