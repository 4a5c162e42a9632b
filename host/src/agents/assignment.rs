use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::Agents;
use super::toolbox::is_input;
use crate::db::ToolAssignment;
use crate::identity::Principal;
use crate::tools::ToolInfo;

/// Why a tool cannot be given to an agent.
#[derive(Debug, Error)]
pub enum AssignError {
    /// Type or name is missing.
    #[error("tool_type and tool_name are required")]
    Missing,
    /// A type that is none.
    #[error("tool_type {0:?} is unknown; use builtin, wasm or custom")]
    Type(String),
    /// No tool of this name is registered.
    #[error("no tool named {0:?} is registered; GET /api/tools lists those that are")]
    NotRegistered(String),
    /// No custom tool of this id and name.
    #[error("there is no custom tool with this tool_id and the name {0:?}")]
    NoCustomTool(String),
    /// Custom tools cannot be run.
    #[error("custom HTTP tools cannot be run by this host yet, so {0:?} cannot be attached")]
    Custom(String),
    /// The overrides are no JSON object.
    #[error("config_override must be a JSON object")]
    Overrides,
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
    /// A custom tool's id.
    pub tool_id: Option<Uuid>,
    /// Arguments to force.
    pub config_override: Option<Value>,
}

impl Agents {
    /// Gives a tool to an agent.
    pub async fn assign_tool(
        &self,
        principal: &Principal,
        agent: Uuid,
        wish: Assign,
    ) -> Result<ToolAssignment, AssignError> {
        let named = wish.tool_type.filter(|text| !text.is_empty()).zip(wish.tool_name.filter(|text| !text.is_empty()));
        let (tool_type, tool_name) = named.ok_or(AssignError::Missing)?;
        match tool_type.as_str() {
            "builtin" | "wasm" => {}
            "custom" => {
                let known = match wish.tool_id {
                    Some(id) => self.db.custom_tool_exists(principal, id, &tool_name).await?,
                    None => false,
                };
                return Err(if known { AssignError::Custom(tool_name) } else { AssignError::NoCustomTool(tool_name) });
            }
            _ => return Err(AssignError::Type(tool_type)),
        }
        let info = self.tools.get(&tool_name).ok_or_else(|| AssignError::NotRegistered(tool_name.clone()))?;
        let config_override =
            wish.config_override.filter(|value| !value.is_null()).unwrap_or_else(|| serde_json::json!({}));
        check_overrides(&config_override, &info)?;
        let assignment = ToolAssignment { id: Uuid::new_v4(), tool_type, tool_name, tool_id: None, config_override };
        let made = self.db.assign_tool(principal, agent, &assignment).await?;
        made.ok_or(AssignError::Taken(assignment.tool_name))
    }

    /// Changes the forced arguments of an assignment, where some are given.
    pub async fn change_assignment(
        &self,
        principal: &Principal,
        agent: Uuid,
        id: Uuid,
        config_override: Option<Value>,
    ) -> Result<ToolAssignment, AssignError> {
        let assigned = self.db.agent_tools(principal, agent).await?;
        let assignment = assigned.into_iter().find(|one| one.id == id).ok_or(AssignError::NotFound)?;
        if let Some(overrides) = &config_override {
            let info = self.tools.get(&assignment.tool_name).ok_or(AssignError::NotRegistered(assignment.tool_name))?;
            check_overrides(overrides, &info)?;
        }
        let changed = self.db.change_assignment(principal, agent, id, config_override.as_ref()).await?;
        changed.ok_or(AssignError::NotFound)
    }
}

/// An override that nobody would look at may be meant as a restriction, so it is refused rather than kept.
fn check_overrides(overrides: &Value, info: &ToolInfo) -> Result<(), AssignError> {
    let Value::Object(fields) = overrides else { return Err(AssignError::Overrides) };
    match fields.keys().find(|name| !is_input(&info.input_schema, name)) {
        Some(name) => Err(AssignError::Override(name.clone(), info.name.clone())),
        None => Ok(()),
    }
}
