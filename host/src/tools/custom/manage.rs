use serde_json::Value;
use thiserror::Error;
use uuid::Uuid;

use super::{CustomTool, EndpointError};
use crate::db::{CustomToolChange, CustomToolError as StoreError, CustomToolRow};
use crate::tools::registry::{RegistryError, Tools};
use crate::tools::schema::SchemaError;

/// How names of MCP servers' tools begin, which are given by the host.
pub(in crate::tools) const MANAGED_PREFIX: &str = "mcp__";

/// Why a custom tool cannot be stored or served.
#[derive(Debug, Error)]
pub enum CustomToolError {
    /// There is none of this id.
    #[error("Tool not found")]
    NotFound,
    /// Something is missing; the platform's words.
    #[error("name, description, type, and input_schema are required")]
    Missing,
    /// Nothing to change.
    #[error("send at least one of name, description, type, input_schema, config")]
    Nothing,
    /// A name that is none.
    #[error("{0:?} is no tool name; use [a-zA-Z][a-zA-Z0-9_-]{{0,63}}, no uuid, and nothing that begins with mcp__")]
    Name(String),
    /// A description that is too long.
    #[error("description must have 1 to 4096 characters")]
    Description,
    /// A schema that is none.
    #[error("input_schema: {0}")]
    Schema(#[from] SchemaError),
    /// Settings that cannot be used.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// It clashes, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry could not be reloaded.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Tools {
    /// The custom tool of this id, with its settings: for operators alone.
    pub async fn custom_tool(&self, id: Uuid) -> Result<CustomToolRow, CustomToolError> {
        self.db.custom_tool(id).await.map_err(RegistryError::from)?.ok_or(CustomToolError::NotFound)
    }

    /// The settings of a custom tool by name: for operators alone.
    pub fn custom_row(&self, name: &str) -> Option<CustomToolRow> {
        self.custom(name).map(|tool| tool.row.clone())
    }

    /// Makes a custom tool. Everything is checked before anything is stored.
    pub async fn create_custom_tool(&self, wish: CustomToolChange) -> Result<CustomToolRow, CustomToolError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let needed =
            given(&wish.name).zip(given(&wish.description)).zip(given(&wish.kind)).zip(wish.input_schema.clone());
        let (((name, description), kind), input_schema) = needed.ok_or(CustomToolError::Missing)?;
        check(CustomToolRow {
            id: Uuid::nil(),
            name,
            description,
            kind,
            input_schema,
            config: wish.config.clone().unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            created_at: String::new(),
            updated_at: String::new(),
        })
        .await?;
        let row = self.db.create_custom_tool(&wish).await?;
        self.reload().await?;
        Ok(row)
    }

    /// Changes a custom tool.
    pub async fn change_custom_tool(&self, id: Uuid, wish: CustomToolChange) -> Result<CustomToolRow, CustomToolError> {
        let CustomToolChange { name, description, kind, input_schema, config } = wish.clone();
        if name.is_none() && description.is_none() && kind.is_none() && input_schema.is_none() && config.is_none() {
            return Err(CustomToolError::Nothing);
        }
        let held = self.custom_tool(id).await?;
        check(CustomToolRow {
            name: name.unwrap_or(held.name),
            description: description.unwrap_or(held.description),
            kind: kind.unwrap_or(held.kind),
            input_schema: input_schema.unwrap_or(held.input_schema),
            config: config.unwrap_or(held.config),
            ..held
        })
        .await?;
        let row = self.db.change_custom_tool(id, &wish).await?.ok_or(CustomToolError::NotFound)?;
        self.reload().await?;
        Ok(row)
    }

    /// Deletes a custom tool, also from agents.
    pub async fn delete_custom_tool(&self, id: Uuid) -> Result<(), CustomToolError> {
        if !self.db.delete_custom_tool(id).await.map_err(RegistryError::from)? {
            return Err(CustomToolError::NotFound);
        }
        Ok(self.reload().await?)
    }
}

/// A stranger's schema may cost something to prepare, so a thread of its own does it.
async fn check(row: CustomToolRow) -> Result<(), CustomToolError> {
    let checked = tokio::task::spawn_blocking(move || CustomTool::new(row).map(drop)).await;
    checked.unwrap_or_else(|_| Err(SchemaError::Invalid("it cannot be read".to_owned()).into()))
}
