//! Gives tools to agents, and checks what an operator says of them.

use std::sync::Arc;

use behalf_contracts::{RuleError, ToolInfo, ToolInvoker, ToolKind, read_rules};
use behalf_host_db::Act;
use behalf_identity::Principal;
use behalf_problem::{Kind, Problem};
use serde_json::{Value, json};
use thiserror::Error;
use uuid::Uuid;

use crate::store::{AgentStore, Assignment, AssignmentChange, AssignmentStore};
use crate::subagent_tool::subagent_tool;
use crate::toolbox::{ApprovalMode, RULES, is_input};

/// Why a tool cannot be given to an agent.
#[derive(Debug, Error)]
pub(crate) enum AssignError {
    /// The name is missing.
    #[error("tool_type and tool_name are required")]
    Missing,
    /// An unknown type.
    #[error("tool_type {0:?} is unknown; use builtin, wasm, custom or agent")]
    Type(String),
    /// No tool of this name is registered.
    #[error("no tool named {0:?} is registered; GET /api/tools lists those that are")]
    NotRegistered(String),
    /// No custom tool of this name, or it has another id.
    #[error("there is no custom tool with the name {0:?}, or not with this tool_id")]
    NoCustomTool(String),
    /// The overrides are no JSON object.
    #[error("config_override must be a JSON object")]
    Overrides,
    /// Rules that cannot be read.
    #[error("config_override: {0}")]
    Rules(#[from] RuleError),
    /// An unknown word for approvals.
    #[error("approval must be never, writes or always")]
    Approval,
    /// An agent that is not there, or the agent itself.
    #[error("tool_id must be the id of another agent")]
    Subagent,
    /// A name that models would not take.
    #[error("tool_name {0:?} may have 64 letters, digits, - and _")]
    Name(String),
    /// An override that would have no effect.
    #[error("config_override: {0:?} is no input parameter of {1}; what a tool may reach is set in its plugin's grants")]
    Override(String, String),
    /// The agent has the tool already.
    #[error("the agent has a tool named {0:?} already")]
    Taken(String),
    /// No such assignment.
    #[error("Tool assignment not found")]
    NotFound,
    /// The database failed.
    #[error("the assignment cannot be stored")]
    Database(#[from] sqlx::Error),
}

impl Problem for AssignError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Taken(_) => Kind::Conflict,
            Self::Database(error) => error.kind(),
            _ => Kind::BadRequest,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Database(error) => error.detail(),
            other => other.to_string(),
        }
    }
}

/// A tool to give to an agent, as it was sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewAssignment {
    /// `builtin`, `wasm`, `custom` or `agent`.
    pub(crate) tool_type: Option<String>,
    /// The tool's name.
    pub(crate) tool_name: Option<String>,
    /// A custom tool's or an agent's id.
    pub(crate) tool_id: Option<Uuid>,
    /// Arguments to force, and rules.
    pub(crate) config_override: Option<Value>,
    /// Whether somebody has to agree to a call.
    pub(crate) approval: Option<String>,
}

/// Gives tools to agents.
#[derive(Clone, Debug)]
pub(crate) struct Assigner {
    tools: Arc<dyn ToolInvoker>,
    agents: AgentStore,
    assignments: AssignmentStore,
}

impl Assigner {
    /// Gives tools that `tools` knows to agents of `agents`.
    pub(crate) fn new(tools: Arc<dyn ToolInvoker>, agents: AgentStore, assignments: AssignmentStore) -> Self {
        Self { tools, agents, assignments }
    }

    /// Gives a tool to an agent.
    pub(crate) async fn assign(
        &self,
        principal: &Principal,
        act: Act<'_>,
        agent: Uuid,
        new: NewAssignment,
    ) -> Result<Assignment, AssignError> {
        let tool_name = new.tool_name.filter(|text| !text.is_empty()).ok_or(AssignError::Missing)?;
        // The platform's own examples send the name alone.
        let tool_type = match new.tool_type.filter(|text| !text.is_empty()) {
            Some(tool_type) => tool_type,
            None if self.registered(&tool_name)?.kind == ToolKind::Http => "custom".to_owned(),
            None => "builtin".to_owned(),
        };
        let approval = new.approval.unwrap_or_else(|| "never".to_owned());
        ApprovalMode::parse(&approval).ok_or(AssignError::Approval)?;
        let mut assignment = Assignment {
            id: Uuid::new_v4(),
            tool_type,
            tool_name,
            full_name: None,
            tool_id: None,
            config_override: new.config_override.unwrap_or_else(|| json!({})),
            approval,
            callee_id: None,
        };
        let info = self.resolve(principal, agent, &mut assignment, new.tool_id).await?;
        check_overrides(&assignment.config_override, &info)?;
        let made = self.assignments.create(act, agent, &assignment).await?;
        made.ok_or(AssignError::Taken(assignment.tool_name))
    }

    /// Changes an assignment.
    pub(crate) async fn change(
        &self,
        principal: &Principal,
        act: Act<'_>,
        agent: Uuid,
        id: Uuid,
        change: AssignmentChange,
    ) -> Result<Assignment, AssignError> {
        let assigned = self.assignments.of_agent(principal, agent).await?;
        let assignment = assigned.into_iter().find(|one| one.id == id).ok_or(AssignError::NotFound)?;
        if change.approval.as_deref().is_some_and(|approval| ApprovalMode::parse(approval).is_none()) {
            return Err(AssignError::Approval);
        }
        if let Some(overrides) = &change.config_override {
            let info = match assignment.callee_id {
                Some(_) => subagent_tool(&assignment.tool_name),
                None => self.registered(assignment.registered_name())?,
            };
            check_overrides(overrides, &info)?;
        }
        let changed = self.assignments.change(act, agent, id, &change).await?;
        changed.ok_or(AssignError::NotFound)
    }

    /// Finds the tool that an assignment names, and writes its id into the assignment.
    async fn resolve(
        &self,
        principal: &Principal,
        agent: Uuid,
        assignment: &mut Assignment,
        tool_id: Option<Uuid>,
    ) -> Result<ToolInfo, AssignError> {
        let name = &assignment.tool_name;
        match assignment.tool_type.as_str() {
            "builtin" | "wasm" => {
                let info = self.registered(name)?;
                assignment.tool_id = info.id;
                assignment.tool_name.clone_from(&info.name);
                assignment.full_name.clone_from(&info.full_name);
                Ok(info)
            }
            "custom" => {
                let info = self.tools.get(name).filter(|info| info.kind == ToolKind::Http);
                let info = info.filter(|info| tool_id.is_none() || tool_id == info.id);
                let info = info.ok_or_else(|| AssignError::NoCustomTool(name.clone()))?;
                assignment.tool_id = info.id;
                Ok(info)
            }
            "agent" => {
                if !is_name(name) {
                    return Err(AssignError::Name(name.clone()));
                }
                let subagent = tool_id.filter(|id| *id != agent).ok_or(AssignError::Subagent)?;
                self.agents.find(principal, subagent).await?.ok_or(AssignError::Subagent)?;
                assignment.callee_id = Some(subagent);
                Ok(subagent_tool(&assignment.tool_name))
            }
            other => Err(AssignError::Type(other.to_owned())),
        }
    }

    fn registered(&self, name: &str) -> Result<ToolInfo, AssignError> {
        self.tools.get(name).ok_or_else(|| AssignError::NotRegistered(name.to_owned()))
    }
}

/// Whether every model provider takes this name for a tool.
fn is_name(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// An override without effect may be meant as a restriction, so it is refused rather than kept.
fn check_overrides(overrides: &Value, info: &ToolInfo) -> Result<(), AssignError> {
    let Value::Object(fields) = overrides else { return Err(AssignError::Overrides) };
    if let Some(list) = fields.get(RULES) {
        read_rules(list)?;
    }
    let known = |name: &String| name == RULES || is_input(&info.input_schema, name);
    match fields.keys().find(|name| !known(name)) {
        Some(name) => Err(AssignError::Override(name.clone(), info.name.clone())),
        None => Ok(()),
    }
}
