//! What is registered, read as it is at one moment: plugins, custom tools and the registry's version.

use behalf_host_db::HostDb;

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
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query("set transaction isolation level repeatable read").execute(&mut *tx).await?;
        let version = sqlx::query_scalar("select version from ai.registry_version").fetch_one(&mut *tx).await?;
        let plugins = plugins::all(&mut tx).await?;
        let custom_tools = custom_tools::all(&mut tx).await?;
        tx.commit().await?;
        Ok(RegistryRows { version, plugins, custom_tools })
    }
}
