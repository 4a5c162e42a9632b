//! An agent as a tool of another.

use serde_json::json;

use crate::db::ToolAssignment;
use crate::tools::{ToolInfo, ToolKind};

/// What a model is told of a tool that asks an agent.
pub(super) fn tool_info(assignment: &ToolAssignment) -> ToolInfo {
    ToolInfo {
        id: None,
        kind: ToolKind::Agent,
        name: assignment.tool_name.clone(),
        title: None,
        description: format!(
            "Asks the agent {:?}, which works with tools of its own and answers in words. It knows nothing of this conversation: \
             say everything it needs in the message.",
            assignment.tool_name
        ),
        input_schema: json!({
            "type": "object",
            "properties": { "message": { "type": "string", "minLength": 1, "description": "The question or task." } },
            "required": ["message"],
            "additionalProperties": false,
        }),
        output_schema: None,
        annotations: json!({}),
        read_only: false,
        plugin: None,
        reaches_out: false,
    }
}
