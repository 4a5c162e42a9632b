//! What running a plugin's component needs: its bytes, the sandbox and the database as the caller.

use std::sync::{Arc, Mutex};

use behalf_caller_db::{CallRecord, CallerDb, GuestDb};
use behalf_contracts::ToolCallError;
use behalf_identity::{CallerKey, Principal};
use behalf_sandbox::{CallSigner, Effects, HttpSecrets, LinkedComponent, Sandbox};
use uuid::Uuid;

use crate::assertion_signer::{AssertionSigner, CallAssertions};
use crate::plugin::Plugin;
use crate::plugin_secrets::call_secrets;
use crate::store::{PluginSecretStore, PluginStore};

/// Runs plugins' components.
#[derive(Debug)]
pub(crate) struct PluginRuntime {
    pub(crate) store: PluginStore,
    pub(crate) secrets: PluginSecretStore,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) db: CallerDb,
    pub(crate) signer: AssertionSigner,
}

impl PluginRuntime {
    /// The plugin's component, linked with what was granted.
    pub(crate) async fn linked<'a>(&self, plugin: &'a Plugin) -> Result<&'a LinkedComponent, ToolCallError> {
        plugin.linked(&self.store, &self.sandbox).await.map_err(ToolCallError::Unavailable)
    }

    /// The values of the plugin's secrets for one call.
    pub(crate) async fn http_secrets(&self, plugin: &Plugin) -> Result<HttpSecrets, ToolCallError> {
        call_secrets(&self.secrets, plugin).await.map_err(|error| ToolCallError::Unavailable(error.into()))
    }

    /// What tells the servers that a call asks whom it is for, where the plugin's grant says so.
    pub(crate) fn assertions(
        &self,
        principal: &Arc<Principal>,
        (call_id, agent): (Uuid, Option<Uuid>),
    ) -> Arc<dyn CallSigner> {
        let (signer, principal) = (self.signer.clone(), Arc::clone(principal));
        Arc::new(CallAssertions { signer, principal, agent, call_id })
    }

    /// The database of one call, where the plugin was granted one or a store in it. Where the call changes nothing there, the transaction is
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
        let guest = self.db.guest(Arc::clone(principal), key, Arc::clone(grant), limits, Arc::clone(record));
        Some(match plugin.kv(effects) {
            Some(store) => guest.with_kv(store),
            None => guest,
        })
    }
}
