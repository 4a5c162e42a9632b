//! The tools of one agent: which there are, what the operator forces and forbids, and who has to agree.

use behalf_contracts::{
    AgentTool, LeftOutTool, OfferedTools, Rule, RuleError, ToolInfo, ToolInvoker, forbids, read_rules,
};
use behalf_models::ToolSpec;
use behalf_problem::LogText as _;
use behalf_schema::{inexact_number, read_exact};
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

use crate::knowledge::SearchScope;
use crate::store::Assignment;
use crate::subagent_tool::subagent_tool;
use crate::text::cut_chars;

/// Names that are listed to a model which asked for a tool it does not have.
const LISTED: usize = 30;
/// Characters of such a name that are repeated.
const MAX_NAME_CHARS: usize = 100;

/// The tools of one agent, and no others.
#[derive(Debug)]
pub(crate) struct Toolbox {
    tools: Vec<BoundTool>,
    /// Tools that the agent was given and does not have now.
    left_out: Vec<LeftOutTool>,
}

/// A tool as it is bound to one agent.
#[derive(Debug)]
pub(crate) struct BoundTool {
    pub(crate) info: ToolInfo,
    pub(crate) target: ToolTarget,
    pub(crate) approval: ApprovalMode,
    /// What a search in knowledge bases is narrowed to.
    pub(crate) scope: Option<SearchScope>,
    /// Names are parameters of the tool.
    forced: Map<String, Value>,
    rules: Vec<Rule>,
}

/// Where calls of a tool go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolTarget {
    /// A tool of the host's registry, or of one of the agent's MCP servers.
    Registered,
    /// Another agent.
    Agent(Uuid),
}

/// Whether somebody has to agree to a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ApprovalMode {
    #[default]
    Never,
    /// Where a call can change something, whatever the tool says of itself.
    Writes,
    Always,
}

/// Why a call is not made. The words are for the model.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum NotCalled {
    /// The agent has no tool of this name.
    #[error("there is no tool {name:?} here; the tools are: {tools}")]
    Unknown {
        /// As it was asked for, cut.
        name: String,
        /// Those there are.
        tools: String,
    },
    /// Not an object.
    #[error("the arguments must be a JSON object; what was sent is not")]
    Form,
    /// With a number that would be rounded; where it stands, and why.
    #[error("the arguments cannot be passed on as they are, at {0}: {1}")]
    Number(String, String),
    /// A deny rule fits.
    #[error("the operator forbids this call: {0}")]
    Rule(String),
    /// Somebody has to agree, and nobody can be asked here.
    #[error("this tool needs somebody's approval, which only a run of the agent can ask for")]
    Approval,
}

impl NotCalled {
    /// Why arguments that are no object cannot be used.
    fn of(given: &Value) -> Self {
        let fault = given.as_str().and_then(inexact_number);
        fault.map_or(Self::Form, |fault| Self::Number(fault.pointer, fault.message))
    }
}

impl ApprovalMode {
    /// Reads the stored or sent form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "never" => Some(Self::Never),
            "writes" => Some(Self::Writes),
            "always" => Some(Self::Always),
            _ => None,
        }
    }
}

impl BoundTool {
    /// Takes an assignment's overrides: rules under `rules`, and arguments to force. A tool whose rules cannot be read is not
    /// bound.
    fn assigned(
        info: ToolInfo,
        target: ToolTarget,
        approval: ApprovalMode,
        overrides: Value,
    ) -> Result<Self, RuleError> {
        let mut forced = match overrides {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let rules = forced.remove(RULES).map(|list| read_rules(&list)).transpose()?.unwrap_or_default();
        Ok(Self::bound(info, target, approval, forced, rules))
    }

    fn bound(
        info: ToolInfo,
        target: ToolTarget,
        approval: ApprovalMode,
        mut forced: Map<String, Value>,
        rules: Vec<Rule>,
    ) -> Self {
        forced.retain(|name, _| is_input(&info.input_schema, name));
        Self { info, target, approval, scope: None, forced, rules }
    }

    /// Whether somebody has to agree to a call.
    pub(crate) fn needs_approval(&self) -> bool {
        match self.approval {
            ApprovalMode::Never => false,
            ApprovalMode::Writes => !self.info.effects.read_only(),
            ApprovalMode::Always => true,
        }
    }

    /// Whether it says that a second call like the first changes nothing more.
    pub(crate) fn is_idempotent(&self) -> bool {
        self.info.annotations.get("idempotentHint").and_then(Value::as_bool).unwrap_or(false)
    }

    /// The arguments to call it with: the caller's, and over them what the operator forces.
    pub(crate) fn arguments(&self, given: Value) -> Result<Value, NotCalled> {
        let Value::Object(mut arguments) = given else { return Err(NotCalled::of(&given)) };
        decode(&mut arguments, &self.info.input_schema);
        arguments.extend(self.forced.clone());
        let mut arguments = Value::Object(arguments);
        if let Some(rule) = forbids(&self.rules, &arguments) {
            return Err(NotCalled::Rule(rule.to_owned()));
        }
        if let Some(scope) = &self.scope {
            scope.name_by_id(&mut arguments);
        }
        Ok(arguments)
    }
}

/// The key of an assignment's overrides that holds its deny rules.
pub(crate) const RULES: &str = "rules";

impl Toolbox {
    /// The tools that the agent was assigned and that the host has now; a tool that is switched off is left out.
    pub(crate) fn new(tools: &dyn ToolInvoker, assigned: Vec<Assignment>) -> Self {
        let mut toolbox = Self { tools: Vec::new(), left_out: Vec::new() };
        for assignment in assigned {
            let name = assignment.tool_name.clone();
            match bind(tools, assignment) {
                Ok(tool) => toolbox.tools.push(tool),
                Err(reason) => toolbox.left_out.push(LeftOutTool { name, reason: reason.to_owned() }),
            }
        }
        toolbox
    }

    /// Adds the tools that the agent's MCP servers offer the caller. A tool whose name is taken is left out.
    pub(crate) fn offer(&mut self, offered: OfferedTools) {
        self.left_out.extend(offered.left_out);
        for AgentTool { info, approval, forced, rules } in offered.tools {
            if self.find(&info.name).is_ok() {
                // Its name is the server's word.
                tracing::warn!("a tool of an MCP server is left out: the agent has one of its name");
                let reason = "the agent has a tool of this name".to_owned();
                self.left_out.push(LeftOutTool { name: info.name, reason });
                continue;
            }
            let approval = ApprovalMode::parse(&approval).unwrap_or(ApprovalMode::Always);
            self.tools.push(BoundTool::bound(info, ToolTarget::Registered, approval, forced, rules));
        }
    }

    /// The tools that the agent was given and does not have now, with the reasons.
    pub(crate) fn left_out(&self) -> &[LeftOutTool] {
        &self.left_out
    }

    /// Adds a search that is narrowed, or narrows the one that the agent was given; what its operator forces stays.
    pub(crate) fn search_in(&mut self, info: ToolInfo, forced: Map<String, Value>, scope: SearchScope) {
        if let Some(tool) = self.tools.iter_mut().find(|tool| tool.info.name == info.name) {
            if tool.target != ToolTarget::Registered {
                tracing::warn!("the search of an agent's bases is left out: another agent has its name");
                return;
            }
            for (name, value) in forced {
                tool.forced.entry(name).or_insert(value);
            }
            (tool.info, tool.scope) = (info, Some(scope));
            return;
        }
        let (target, approval) = (ToolTarget::Registered, ApprovalMode::Writes);
        self.tools.push(BoundTool { info, target, approval, scope: Some(scope), forced, rules: Vec::new() });
    }

    /// The tools as a model sees them.
    pub(crate) fn specs(&self) -> Vec<ToolSpec> {
        let spec = |tool: &BoundTool| ToolSpec {
            name: tool.info.name.clone(),
            description: tool.info.description.clone(),
            parameters: tool.info.input_schema.clone(),
            read_only: tool.info.effects.read_only(),
        };
        self.tools.iter().map(spec).collect()
    }

    /// The tools as clients see them.
    pub(crate) fn infos(&self) -> Vec<ToolInfo> {
        self.tools.iter().map(|tool| tool.info.clone()).collect()
    }

    /// Whether the agent has this tool and calls of it may be made beside others: it changes nothing and nobody is asked.
    pub(crate) fn may_run_beside_others(&self, name: &str) -> bool {
        self.find(name).is_ok_and(|tool| tool.info.effects.read_only() && !tool.needs_approval())
    }

    /// The tool of this name.
    pub(crate) fn find(&self, name: &str) -> Result<&BoundTool, NotCalled> {
        self.tools.iter().find(|tool| tool.info.name == name).ok_or_else(|| {
            let names: Vec<_> = self.tools.iter().take(LISTED).map(|tool| tool.info.name.as_str()).collect();
            NotCalled::Unknown { name: cut_chars(name, MAX_NAME_CHARS), tools: names.join(", ") }
        })
    }
}

/// Decodes arguments that a model wrote as JSON in a text although the tool wants a list or an object: some servers encode what is
/// nested once more. Where a text would do as well, it stays one.
fn decode(arguments: &mut Map<String, Value>, schema: &Value) {
    let Some(Value::Object(properties)) = schema.get("properties") else { return };
    for (name, value) in arguments {
        let Value::String(text) = &*value else { continue };
        let wants =
            |kind: &str| properties.get(name).and_then(|one| one.get("type")).is_some_and(|wanted| wanted == kind);
        let decoded = match text.trim_start().chars().next() {
            Some('[') if wants("array") => read_exact(text).ok().filter(Value::is_array),
            Some('{') if wants("object") => read_exact(text).ok().filter(Value::is_object),
            _ => None,
        };
        if let Some(decoded) = decoded {
            *value = decoded;
        }
    }
}

/// The tool of an assignment, or why the agent does not get it.
fn bind(tools: &dyn ToolInvoker, assignment: Assignment) -> Result<BoundTool, &'static str> {
    let (info, target) = if let Some(agent) = assignment.callee_id {
        (subagent_tool(&assignment.tool_name), ToolTarget::Agent(agent))
    } else if let Some(info) = tools.get(assignment.registered_name()) {
        (info, ToolTarget::Registered)
    } else {
        tracing::debug!(tool.name = %assignment.tool_name, "an agent's tool is not there now");
        return Err("the host has no tool of this name now");
    };
    // An unknown word may have been meant to restrict, so it counts as the strictest one.
    let approval = ApprovalMode::parse(&assignment.approval).unwrap_or(ApprovalMode::Always);
    BoundTool::assigned(info, target, approval, assignment.config_override).map_err(|error| {
        tracing::error!(tool.name = %assignment.tool_name, error = error.log_text(), "an agent's tool is left out: its rules cannot be read");
        "its rules cannot be read"
    })
}

/// Whether a schema has a parameter of this name.
pub(crate) fn is_input(schema: &Value, name: &str) -> bool {
    schema.get("properties").and_then(|properties| properties.get(name)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(overrides: Value, approval: ApprovalMode) -> BoundTool {
        let info = ToolInfo {
            id: None,
            kind: behalf_contracts::ToolKind::Wasm,
            name: "search".to_owned(),
            title: None,
            description: "Searches.".to_owned(),
            input_schema: json!({ "type": "object", "properties": { "query": {}, "top_k": {} } }),
            output_schema: None,
            annotations: json!({}),
            resource: None,
            prompt: false,
            plugin: Some("search".to_owned()),
            full_name: Some("search__search".to_owned()),
            effects: behalf_sandbox::Effects::elsewhere(true),
        };
        BoundTool::assigned(info, ToolTarget::Registered, approval, overrides).expect("readable rules")
    }

    #[test]
    fn forced_arguments_win_and_only_parameters_are_forced() {
        let tool = tool(json!({ "top_k": 3, "note": "not a parameter" }), ApprovalMode::Never);
        assert_eq!(tool.arguments(json!({ "query": "a", "top_k": 100 })), Ok(json!({ "query": "a", "top_k": 3 })));
    }

    #[test]
    fn rules_see_the_arguments_that_would_be_sent() {
        let tool = tool(json!({ "query": "secrets", "rules": ["query CONTAINS secret"] }), ApprovalMode::Never);
        assert!(matches!(tool.arguments(json!({ "query": "harmless" })), Err(NotCalled::Rule(_))));
    }

    #[test]
    fn nested_arguments_that_were_encoded_twice_are_decoded() {
        let schema = json!({ "properties": {
            "list": { "type": "array" }, "object": { "type": "object" }, "text": { "type": "string" },
            "either": { "type": ["string", "array"] }, "bad": { "type": "array" },
        } });
        let given = json!({ "list": "[1]", "object": "{\"a\": 1}", "text": "[1]", "either": "[1]", "bad": "[1" });
        let Value::Object(mut arguments) = given else { panic!("an object") };
        decode(&mut arguments, &schema);
        let expected = json!({ "list": [1], "object": { "a": 1 }, "text": "[1]", "either": "[1]", "bad": "[1" });
        assert_eq!(Value::Object(arguments), expected);
    }

    #[test]
    fn a_model_learns_what_was_wrong() {
        let toolbox = Toolbox { tools: vec![tool(json!({}), ApprovalMode::Never)], left_out: Vec::new() };
        let search = toolbox.find("search").expect("it is there");
        assert!(search.arguments(json!("{\"query\": ")).is_err_and(|error| error.to_string().contains("JSON object")));
        let unknown = toolbox.find("delete_all").expect_err("it is not");
        assert!(unknown.to_string().contains("the tools are: search"));
        assert!(toolbox.may_run_beside_others("search") && !toolbox.may_run_beside_others("delete_all"));
    }

    #[test]
    fn a_call_that_somebody_has_to_agree_to_waits_alone() {
        assert!(!tool(json!({}), ApprovalMode::Writes).needs_approval());
        let asked = Toolbox { tools: vec![tool(json!({}), ApprovalMode::Always)], left_out: Vec::new() };
        assert!(!asked.may_run_beside_others("search"));
    }
}
