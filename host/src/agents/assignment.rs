use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::toolbox::{Approval, RULES, is_input};
use super::{Agents, callee};
use crate::db::{AssignmentChange, ToolAssignment};
use crate::identity::Principal;
use crate::tools::{RuleError, ToolInfo, ToolKind, read_rules};

/// Why a tool cannot be given to an agent.
#[derive(Debug, Error)]
pub enum AssignError {
    /// The name is missing.
    #[error("tool_type and tool_name are required")]
    Missing,
    /// A type that is none.
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
    /// Not a word for approvals.
    #[error("approval must be never, writes or always")]
    Approval,
    /// An agent that is not there, or the agent itself.
    #[error("tool_id must be the id of another agent")]
    Callee,
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

/// A tool to give to an agent, as it was sent.
#[derive(Clone, Debug, Default)]
pub struct Assign {
    /// `builtin`, `wasm` or `custom`.
    pub tool_type: Option<String>,
    /// The tool's name.
    pub tool_name: Option<String>,
    /// A custom tool's id, where it was sent.
    pub tool_id: Option<Uuid>,
    /// Arguments to force, and rules.
    pub config_override: Option<Value>,
    /// Whether somebody has to agree to a call.
    pub approval: Option<String>,
}

impl Agents {
    /// Gives a tool to an agent.
    pub async fn assign_tool(
        &self,
        principal: &Principal,
        agent: Uuid,
        wish: Assign,
    ) -> Result<ToolAssignment, AssignError> {
        let tool_name = wish.tool_name.filter(|text| !text.is_empty()).ok_or(AssignError::Missing)?;
        // The platform's own examples send the name alone.
        let tool_type = match wish.tool_type.filter(|text| !text.is_empty()) {
            Some(tool_type) => tool_type,
            None if self.registered(&tool_name)?.kind == ToolKind::Http => "custom".to_owned(),
            None => "builtin".to_owned(),
        };
        let config_override =
            wish.config_override.filter(|value| !value.is_null()).unwrap_or_else(|| serde_json::json!({}));
        let approval = wish.approval.unwrap_or_else(|| "never".to_owned());
        Approval::parse(&approval).ok_or(AssignError::Approval)?;
        let mut assignment = ToolAssignment {
            id: Uuid::new_v4(),
            tool_type,
            tool_name,
            tool_id: None,
            config_override,
            approval,
            callee_id: None,
        };
        let info = match assignment.tool_type.as_str() {
            "builtin" | "wasm" => {
                let info = self.registered(&assignment.tool_name)?;
                assignment.tool_id = info.id;
                info
            }
            "custom" => {
                let info = self.tools.get(&assignment.tool_name).filter(|info| info.kind == ToolKind::Http);
                let info = info.filter(|info| wish.tool_id.is_none() || wish.tool_id == info.id);
                let info = info.ok_or_else(|| AssignError::NoCustomTool(assignment.tool_name.clone()))?;
                assignment.tool_id = info.id;
                info
            }
            "agent" => {
                if !is_name(&assignment.tool_name) {
                    return Err(AssignError::Name(assignment.tool_name));
                }
                let callee = wish.tool_id.filter(|id| *id != agent).ok_or(AssignError::Callee)?;
                self.db.agent(principal, callee).await?.ok_or(AssignError::Callee)?;
                assignment.callee_id = Some(callee);
                callee::tool_info(&assignment)
            }
            _ => return Err(AssignError::Type(assignment.tool_type)),
        };
        check_overrides(&assignment.config_override, &info)?;
        let made = self.db.assign_tool(principal, agent, &assignment).await?;
        made.ok_or(AssignError::Taken(assignment.tool_name))
    }

    fn registered(&self, name: &str) -> Result<ToolInfo, AssignError> {
        self.tools.get(name).ok_or_else(|| AssignError::NotRegistered(name.to_owned()))
    }

    /// Changes an assignment.
    pub async fn change_assignment(
        &self,
        principal: &Principal,
        agent: Uuid,
        id: Uuid,
        change: AssignmentChange,
    ) -> Result<ToolAssignment, AssignError> {
        let assigned = self.db.agent_tools(principal, agent).await?;
        let assignment = assigned.into_iter().find(|one| one.id == id).ok_or(AssignError::NotFound)?;
        if change.approval.as_deref().is_some_and(|approval| Approval::parse(approval).is_none()) {
            return Err(AssignError::Approval);
        }
        if let Some(overrides) = &change.config_override {
            let info = match assignment.callee_id {
                Some(_) => callee::tool_info(&assignment),
                None => self.registered(&assignment.tool_name)?,
            };
            check_overrides(overrides, &info)?;
        }
        let changed = self.db.change_assignment(principal, agent, id, &change).await?;
        changed.ok_or(AssignError::NotFound)
    }
}

/// What every model provider takes for a tool's name.
fn is_name(name: &str) -> bool {
    name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// An override that nobody would look at may be meant as a restriction, so it is refused rather than kept.
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
