//! The tables of this feature: one store for each, with its SQL and its rows.

mod assertion_keys;
mod change;
mod custom_tools;
mod mcp_servers;
mod plugin_secrets;
mod plugin_tools;
mod plugins;
mod registry;

pub use assertion_keys::AssertionKeyStore;
pub(crate) use assertion_keys::{LIFETIME as ASSERTION_KEY_LIFETIME, Published};
pub use custom_tools::{CustomToolChange, CustomToolRow, CustomToolStore, CustomToolStoreError};
pub use mcp_servers::{McpServerRow, McpServerStore};
pub(crate) use plugin_secrets::{NewSecret, StoredSecret};
pub use plugin_secrets::{PluginSecretStore, SealedPluginSecrets, StoreSecretError};
pub(crate) use plugin_tools::full_name;
pub use plugins::{HeldPlugin, NewPlugin, PluginChange, PluginRow, PluginStore, PluginStoreError, VersionGrants};
pub(crate) use registry::RowStates;
pub use registry::{RegistryRows, RegistryStore};

pub(crate) use change::CHANNEL;
