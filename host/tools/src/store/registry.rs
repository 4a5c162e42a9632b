//! What is registered, read as it is at one moment: plugins, custom tools and the registry's version.

use std::collections::HashMap;

use behalf_host_db::HostDb;
use uuid::Uuid;

use super::custom_tools::{self, CustomToolRow};
use super::plugins::{self, PluginRow};

/// What is registered, as it was at one moment.
#[derive(Clone, Debug)]
pub struct RegistryRows {
    /// The number that grows with every change.
    pub version: i64,
    /// Plugins by name.
    pub plugins: Vec<PluginRow>,
    /// Custom tools by name.
    pub custom_tools: Vec<CustomToolRow>,
}

/// The state of each plugin and custom tool by its id: the transaction that wrote the row last, which every change replaces.
pub(crate) type RowStates = HashMap<Uuid, String>;

/// Reads the registry's tables together.
#[derive(Clone, Debug)]
pub struct RegistryStore {
    db: HostDb,
}

impl RegistryStore {
    /// The store in this database.
    pub fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// The number that grows with every change of the registry.
    pub async fn version(&self) -> Result<i64, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let version = sqlx::query_scalar("select version from ai.registry_version").fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(version)
    }

    /// Every plugin and custom tool, as they are at one moment.
    pub async fn read(&self) -> Result<RegistryRows, sqlx::Error> {
        Ok(self.read_changed(&RowStates::new()).await?.0)
    }

    /// The plugins and custom tools whose state is not the `known` one, and the states of all, as they are at one moment.
    pub(crate) async fn read_changed(&self, known: &RowStates) -> Result<(RegistryRows, RowStates), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await?;
        let version = sqlx::query_scalar("select version from ai.registry_version").fetch_one(&mut *tx).await?;
        let plugin_states = plugins::states(&mut tx).await?;
        let custom_states = custom_tools::states(&mut tx).await?;
        let plugins = plugins::some(&mut tx, &changed(known, &plugin_states)).await?;
        let custom_tools = custom_tools::some(&mut tx, &changed(known, &custom_states)).await?;
        tx.commit().await?;
        let states = plugin_states.into_iter().chain(custom_states).collect();
        Ok((RegistryRows { version, plugins, custom_tools }, states))
    }
}

fn changed(known: &RowStates, states: &[(Uuid, String)]) -> Vec<Uuid> {
    states.iter().filter(|(id, state)| known.get(id) != Some(state)).map(|(id, _)| *id).collect()
}
