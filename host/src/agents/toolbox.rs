use serde_json::{Map, Value};

use crate::db::ToolAssignment;
use crate::models::ToolSpec;
use crate::tools::{ToolInfo, Tools};

/// Names that are listed to a model which asked for a tool it does not have.
const LISTED: usize = 30;

/// The tools of one agent, and no others.
#[derive(Debug)]
pub(super) struct Toolbox {
    tools: Vec<AgentTool>,
}

#[derive(Debug)]
struct AgentTool {
    info: ToolInfo,
    forced: Map<String, Value>,
}

impl Toolbox {
    /// What the agent was assigned and the host has now; a tool that is switched off is left out.
    pub(super) fn new(tools: &Tools, assigned: Vec<ToolAssignment>) -> Self {
        let find = |assignment: ToolAssignment| {
            let Some(info) = tools.get(&assignment.tool_name) else {
                tracing::debug!(tool.name = %assignment.tool_name, "an agent's tool is not there now");
                return None;
            };
            let forced = match assignment.config_override {
                Value::Object(fields) => fields,
                _ => Map::new(),
            };
            Some(AgentTool { info, forced })
        };
        Self { tools: assigned.into_iter().filter_map(find).collect() }
    }

    /// The tools as a model sees them.
    pub(super) fn specs(&self) -> Vec<ToolSpec> {
        let spec = |tool: &AgentTool| ToolSpec {
            name: tool.info.name.clone(),
            description: tool.info.description.clone(),
            parameters: tool.info.input_schema.clone(),
            read_only: tool.info.read_only,
        };
        self.tools.iter().map(spec).collect()
    }

    /// Whether the agent has this tool and it changes nothing.
    pub(super) fn is_read_only(&self, name: &str) -> bool {
        self.find(name).is_some_and(|tool| tool.info.read_only)
    }

    /// The arguments to call a tool with: the model's, and over them what the operator forces. The error is for the model.
    pub(super) fn arguments(&self, name: &str, given: Value) -> Result<Value, String> {
        let tool = self.find(name).ok_or_else(|| self.unknown(name))?;
        let Value::Object(mut arguments) = given else {
            return Err("the arguments must be a JSON object; what was sent is not".to_owned());
        };
        for (name, value) in &tool.forced {
            if is_input(&tool.info.input_schema, name) {
                arguments.insert(name.clone(), value.clone());
            }
        }
        Ok(Value::Object(arguments))
    }

    fn find(&self, name: &str) -> Option<&AgentTool> {
        self.tools.iter().find(|tool| tool.info.name == name)
    }

    fn unknown(&self, name: &str) -> String {
        let name: String = name.chars().take(100).collect();
        let names: Vec<_> = self.tools.iter().take(LISTED).map(|tool| tool.info.name.as_str()).collect();
        format!("there is no tool {name:?} here; the tools are: {}", names.join(", "))
    }
}

/// Whether a schema has a parameter of this name.
pub(super) fn is_input(schema: &Value, name: &str) -> bool {
    schema.get("properties").and_then(|properties| properties.get(name)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn toolbox(forced: &Value) -> Toolbox {
        let info = ToolInfo {
            id: None,
            kind: crate::tools::ToolKind::Wasm,
            name: "search".to_owned(),
            title: None,
            description: "Searches.".to_owned(),
            input_schema: json!({ "type": "object", "properties": { "query": {}, "top_k": {} } }),
            output_schema: None,
            annotations: json!({}),
            read_only: true,
            plugin: Some("search".to_owned()),
        };
        Toolbox { tools: vec![AgentTool { info, forced: forced.as_object().cloned().unwrap_or_default() }] }
    }

    #[test]
    fn forced_arguments_win_and_only_parameters_are_forced() {
        let toolbox = toolbox(&json!({ "top_k": 3, "note": "not a parameter" }));
        assert_eq!(
            toolbox.arguments("search", json!({ "query": "a", "top_k": 100 })),
            Ok(json!({ "query": "a", "top_k": 3 }))
        );
    }

    #[test]
    fn a_model_learns_what_was_wrong() {
        let toolbox = toolbox(&json!({}));
        assert!(toolbox.arguments("search", json!("{\"query\": ")).is_err_and(|error| error.contains("JSON object")));
        assert!(toolbox.arguments("delete_all", json!({})).is_err_and(|error| error.contains("the tools are: search")));
        assert!(toolbox.is_read_only("search") && !toolbox.is_read_only("delete_all"));
    }
}
