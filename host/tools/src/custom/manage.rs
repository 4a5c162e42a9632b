//! Creates, changes and deletes custom tools.

use std::sync::Arc;

use behalf_host_db::Act;
use behalf_problem::{Kind, Problem};
use behalf_sandbox::{DestinationError, Sandbox};
use behalf_schema::{Busy, prepare};
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

use super::tool::{CustomTool, InvalidCustomTool};
use crate::registry::{RegistryError, ToolRegistry};
use crate::store::{CustomToolChange, CustomToolRow, CustomToolStore, CustomToolStoreError};

/// Why a custom tool was not stored.
#[derive(Debug, Error)]
pub enum CustomToolError {
    /// There is none of this id.
    #[error("Tool not found")]
    NotFound,
    /// A field is missing. The words are the platform's.
    #[error("name, description, type, and input_schema are required")]
    Missing,
    /// There is nothing to change.
    #[error("send at least one of name, description, type, input_schema, config")]
    Nothing,
    /// It could not be served.
    #[error(transparent)]
    Invalid(#[from] InvalidCustomTool),
    /// No request would be sent to its address.
    #[error("config.endpoint: {0}")]
    Destination(#[from] DestinationError),
    /// It clashes, or the database failed.
    #[error(transparent)]
    Store(#[from] CustomToolStoreError),
    /// Its schema could not be prepared, because too many others are.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The registry could not be reloaded.
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl Problem for CustomToolError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Store(CustomToolStoreError::Database(error)) => error.kind(),
            Self::Store(CustomToolStoreError::Taken(_)) => Kind::Conflict,
            Self::Registry(error) => error.kind(),
            Self::Busy(_) => Kind::Busy,
            Self::Missing | Self::Nothing | Self::Invalid(_) | Self::Destination(_) => Kind::BadRequest,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Store(CustomToolStoreError::Database(error)) => error.detail(),
            Self::Registry(error) => error.detail(),
            _ => self.to_string(),
        }
    }
}

/// Creates, changes and deletes custom tools.
#[derive(Clone, Debug)]
pub struct CustomTools {
    registry: ToolRegistry,
    store: CustomToolStore,
    sandbox: Arc<Sandbox>,
}

impl CustomTools {
    /// Puts the parts together.
    pub(crate) fn new(registry: ToolRegistry, store: CustomToolStore, sandbox: Arc<Sandbox>) -> Self {
        Self { registry, store, sandbox }
    }

    /// The custom tool of this id, with its settings. Only operators may see those.
    pub async fn get(&self, id: Uuid) -> Result<CustomToolRow, CustomToolError> {
        self.store.get(id).await.map_err(RegistryError::from)?.ok_or(CustomToolError::NotFound)
    }

    /// The custom tool of this name, with its settings, as this host serves it. Only operators may see the settings.
    pub fn by_name(&self, name: &str) -> Option<CustomToolRow> {
        self.registry.custom_tool(name).map(|tool| tool.row.clone())
    }

    /// Creates a custom tool. Every field is checked before anything is stored.
    pub async fn create(&self, act: Act<'_>, tool: CustomToolChange) -> Result<CustomToolRow, CustomToolError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let needed =
            given(&tool.name).zip(given(&tool.description)).zip(given(&tool.kind)).zip(tool.input_schema.clone());
        let (((name, description), kind), input_schema) = needed.ok_or(CustomToolError::Missing)?;
        self.check(CustomToolRow {
            id: Uuid::nil(),
            name,
            description,
            kind,
            input_schema,
            config: tool.config.clone().unwrap_or_else(|| Value::Object(Map::new())),
            created_at: String::new(),
            updated_at: String::new(),
        })
        .await?;
        let row = self.store.create(act, &tool).await?;
        self.registry.reload().await?;
        Ok(row)
    }

    /// Changes a custom tool.
    pub async fn change(
        &self,
        act: Act<'_>,
        id: Uuid,
        change: CustomToolChange,
    ) -> Result<CustomToolRow, CustomToolError> {
        let CustomToolChange { name, description, kind, input_schema, config } = change.clone();
        if name.is_none() && description.is_none() && kind.is_none() && input_schema.is_none() && config.is_none() {
            return Err(CustomToolError::Nothing);
        }
        let held = self.get(id).await?;
        self.check(CustomToolRow {
            name: name.unwrap_or(held.name),
            description: description.unwrap_or(held.description),
            kind: kind.unwrap_or(held.kind),
            input_schema: input_schema.unwrap_or(held.input_schema),
            config: config.unwrap_or(held.config),
            ..held
        })
        .await?;
        let row = self.store.change(act, id, &change).await?.ok_or(CustomToolError::NotFound)?;
        self.registry.reload().await?;
        Ok(row)
    }

    /// Deletes a custom tool, also from agents.
    pub async fn delete(&self, act: Act<'_>, id: Uuid) -> Result<(), CustomToolError> {
        if !self.store.delete(act, id).await.map_err(RegistryError::from)? {
            return Err(CustomToolError::NotFound);
        }
        Ok(self.registry.reload().await?)
    }

    /// Checks a custom tool: off the threads that serve requests, because a schema may be expensive to prepare, and then whether requests
    /// could be sent to its address.
    async fn check(&self, row: CustomToolRow) -> Result<(), CustomToolError> {
        let tool = prepare(move || CustomTool::new(row)).await??;
        if let Some(endpoint) = &tool.endpoint {
            self.sandbox.refuse_private(&endpoint.uri).await?;
        }
        Ok(())
    }
}
