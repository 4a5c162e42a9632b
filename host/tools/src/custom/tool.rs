//! A custom tool as this host holds it, checked and ready to be called.

use std::fmt;
use std::sync::Arc;

use behalf_contracts::{ToolInfo, ToolKind, hints};
use behalf_sandbox::Effects;
use behalf_schema::{Schema, SchemaError, as_object_schema};
use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::endpoint::{Endpoint, EndpointError};
use crate::cut::cut;
use crate::definition::{MAX_DESCRIPTION_CHARS, MCP_PREFIX};
use crate::outgoing::read_declared;
use crate::store::CustomToolRow;
use crate::tool_schema::input_schema;

/// Why a custom tool cannot be served.
#[derive(Debug, Error)]
pub enum InvalidCustomTool {
    /// A name that a custom tool may not have.
    #[error("{0:?} is no tool name; use [a-zA-Z][a-zA-Z0-9_-]{{0,63}}, no uuid, and nothing that begins with mcp__")]
    Name(String),
    /// No description, or one that is too long.
    #[error("description must have 1 to 4096 characters")]
    Description,
    /// A schema that cannot be used.
    #[error("input_schema: {0}")]
    Schema(#[from] SchemaError),
    /// Settings that cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
}

/// A custom tool as this host holds it.
pub(crate) struct CustomTool {
    pub(crate) row: CustomToolRow,
    pub(crate) info: Arc<ToolInfo>,
    pub(super) input: Schema,
    /// `None` where the operator has not set an address yet.
    pub(super) endpoint: Option<Endpoint>,
}

impl fmt::Debug for CustomTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomTool").field("info", &self.info).finish_non_exhaustive()
    }
}

impl CustomTool {
    /// Reads and checks everything that a call needs. Preparing the schema may take a second.
    pub(crate) fn new(row: CustomToolRow) -> Result<Self, InvalidCustomTool> {
        Self::read(row, |schema| Schema::new(schema).map(drop))
    }

    /// Reads a tool that was checked before it was stored. Its first call prepares the schema.
    pub(crate) fn stored(row: CustomToolRow) -> Result<Self, InvalidCustomTool> {
        Self::read(row, |_| Ok(()))
    }

    fn read(
        row: CustomToolRow,
        check: impl FnOnce(&Value) -> Result<(), SchemaError>,
    ) -> Result<Self, InvalidCustomTool> {
        if !is_custom_name(&row.name) {
            return Err(InvalidCustomTool::Name(cut(&row.name, 100)));
        }
        if !(1..=MAX_DESCRIPTION_CHARS).contains(&row.description.chars().count()) {
            return Err(InvalidCustomTool::Description);
        }
        let schema = as_object_schema(&row.input_schema)?;
        check(&schema)?;
        let endpoint = Endpoint::read(&row.config)?;
        let effects = Effects::elsewhere(read_declared(&row.config).map_err(EndpointError::from)?);
        let info = Arc::new(ToolInfo {
            id: Some(row.id),
            kind: ToolKind::Http,
            name: row.name.clone(),
            title: None,
            description: row.description.clone(),
            input_schema: schema,
            output_schema: None,
            annotations: hints(effects, None),
            resource: None,
            prompt: false,
            plugin: None,
            full_name: None,
            effects,
        });
        let input = input_schema(&info);
        Ok(Self { row, info, input, endpoint })
    }
}

/// Whether a name is of the form `[a-zA-Z][a-zA-Z0-9_-]{0,63}`, is not a uuid, which would be taken for an id, and is not the name
/// of an MCP server's tool.
fn is_custom_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        && Uuid::try_parse(name).is_err()
        && !name.starts_with(MCP_PREFIX)
}
