//! What running a plugin's component needs: its bytes, the sandbox and the database as the caller.

use std::sync::{Arc, Mutex};

use behalf_caller_db::{CallRecord, CallerDb, GuestDb};
use behalf_contracts::ToolCallError;
use behalf_identity::{CallerKey, Principal};
use behalf_sandbox::{Effects, LinkedComponent, Sandbox};

use crate::plugin::Plugin;
use crate::store::PluginStore;

/// Runs plugins' components.
#[derive(Debug)]
pub(crate) struct PluginRuntime {
    pub(crate) store: PluginStore,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) db: CallerDb,
}

impl PluginRuntime {
    /// The plugin's component, linked with what was granted.
    pub(crate) async fn linked<'a>(&self, plugin: &'a Plugin) -> Result<&'a LinkedComponent, ToolCallError> {
        plugin.linked(&self.store, &self.sandbox).await.map_err(ToolCallError::Unavailable)
    }

    /// The database of one call, where the plugin was granted one. Where the call changes nothing there, the transaction is
    /// READ ONLY and the gate refuses writes. Its statements are written to `record`.
    pub(crate) fn database(
        &self,
        plugin: &Plugin,
        effects: Effects,
        principal: &Arc<Principal>,
        key: CallerKey,
        record: &Arc<Mutex<CallRecord>>,
    ) -> Option<GuestDb> {
        let grant = plugin.database(effects)?;
        let limits = plugin.statement_limits();
        Some(self.db.guest(Arc::clone(principal), key, Arc::clone(grant), limits, Arc::clone(record)))
    }
}
