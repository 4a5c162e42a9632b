//! The schema of a registered tool's arguments. It was found usable when the tool was registered, so the first call prepares it.

use std::sync::Arc;

use behalf_contracts::ToolInfo;
use behalf_problem::LogText as _;
use behalf_schema::{Schema, SchemaError, SchemaSource};
use serde_json::Value;

/// A schema that stays where the tool is described.
#[derive(Debug)]
struct InputSchema(Arc<ToolInfo>);

impl SchemaSource for InputSchema {
    fn schema(&self) -> &Value {
        &self.0.input_schema
    }

    fn unusable(&self, error: &SchemaError) {
        let info = &self.0;
        tracing::error!(tool.name = %info.name, error = error.log_text(), "a stored schema cannot be used");
    }
}

/// The schema of a tool's arguments, which its first call prepares.
pub(crate) fn input_schema(tool: &Arc<ToolInfo>) -> Schema {
    Schema::deferred(InputSchema(Arc::clone(tool)))
}
