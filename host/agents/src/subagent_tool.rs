//! The tool that asks another agent, as models see it.

use behalf_contracts::{ToolInfo, ToolKind};
use behalf_sandbox::Effects;
use serde_json::json;

/// The tool of this name that asks another agent.
pub(crate) fn subagent_tool(name: &str) -> ToolInfo {
    ToolInfo {
        id: None,
        kind: ToolKind::Agent,
        name: name.to_owned(),
        title: None,
        description: format!(
            "Asks the agent {name:?}, which works with tools of its own and answers in words. It knows nothing of this conversation: \
             say everything it needs in the message."
        ),
        input_schema: json!({
            "type": "object",
            "properties": { "message": { "type": "string", "minLength": 1, "description": "The question or task." } },
            "required": ["message"],
            "additionalProperties": false,
        }),
        output_schema: None,
        annotations: json!({}),
        resource: None,
        prompt: false,
        plugin: None,
        full_name: None,
        effects: Effects::agent(),
    }
}
