use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use super::custom::CustomTool;
use super::definition::ToolInfo;
use super::mcp::Discovered;
use super::plugin::{self, Plugin, PluginInfo, Tool};
use super::schema::Schema;
use super::signature::{SignatureError, Signatures};
use crate::db::{Db, PluginChange};
use crate::identity::AssertionKey;
use crate::sandbox::{GrantError, Grants, ImportedInterface, Sandbox};

/// How often the registry's version is looked at where no announcement came.
const POLL: Duration = Duration::from_secs(2);

/// All tools of this host, the same on every host of the database.
#[derive(Debug)]
pub struct Tools {
    pub(super) db: Db,
    pub(super) sandbox: Arc<Sandbox>,
    pub(super) exposed: Vec<String>,
    pub(super) signatures: Signatures,
    /// What this host vouches for its callers with; none on hosts that do not.
    pub(super) key: OnceLock<Arc<AssertionKey>>,
    /// What MCP servers offered lately.
    pub(super) discovered: Discovered,
    snapshot: RwLock<Arc<Snapshot>>,
    reloading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Snapshot {
    version: i64,
    plugins: HashMap<Uuid, Arc<Plugin>>,
    tools: HashMap<String, Arc<Tool>>,
    custom: HashMap<String, Arc<CustomTool>>,
}

/// Why a plugin could not be changed.
#[derive(Debug, Error)]
pub enum RegistryError {
    /// There is none of this id.
    #[error("Plugin not found")]
    NotFound,
    /// The grants do not fit the component or the host.
    #[error(transparent)]
    Grants(#[from] GrantError),
    /// The publisher does not vouch for this.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The settings are no JSON object.
    #[error("settings must be a JSON object")]
    Settings,
    /// The database failed.
    #[error("the registry cannot be reached")]
    Database(#[from] sqlx::Error),
}

impl Tools {
    /// Loads the registry and keeps it fresh. No plugin needs a signature.
    pub async fn start(db: Db, sandbox: Arc<Sandbox>, exposed: Vec<String>) -> Result<Arc<Self>, RegistryError> {
        Self::start_with(db, sandbox, exposed, Signatures::default()).await
    }

    /// The same where signatures count.
    pub async fn start_with(
        db: Db,
        sandbox: Arc<Sandbox>,
        exposed: Vec<String>,
        signatures: Signatures,
    ) -> Result<Arc<Self>, RegistryError> {
        let tools = Arc::new(Self {
            db,
            sandbox,
            exposed,
            signatures,
            key: OnceLock::new(),
            discovered: Discovered::default(),
            snapshot: RwLock::default(),
            reloading: tokio::sync::Mutex::default(),
        });
        tools.reload().await?;
        tokio::spawn(follow(Arc::downgrade(&tools)));
        Ok(tools)
    }

    /// Enabled tools by name.
    pub fn list(&self) -> Vec<ToolInfo> {
        let snapshot = self.snapshot();
        let plugins = snapshot.tools.values().map(|tool| &tool.info);
        let mut tools: Vec<_> = plugins.chain(snapshot.custom.values().map(|tool| &tool.info)).cloned().collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        tools
    }

    /// The enabled tool of this name.
    pub fn get(&self, name: &str) -> Option<ToolInfo> {
        let snapshot = self.snapshot();
        let plugin = snapshot.tools.get(name).map(|tool| &tool.info);
        plugin.or_else(|| snapshot.custom.get(name).map(|tool| &tool.info)).cloned()
    }

    /// The sandbox that runs them.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    pub(super) fn held(&self, plugin: Uuid) -> Option<Arc<Plugin>> {
        self.snapshot().plugins.get(&plugin).cloned()
    }

    pub(super) fn tool(&self, name: &str) -> Option<Arc<Tool>> {
        self.snapshot().tools.get(name).cloned()
    }

    pub(super) fn custom(&self, name: &str) -> Option<Arc<CustomTool>> {
        self.snapshot().custom.get(name).cloned()
    }

    /// Every plugin by name.
    pub fn plugins(&self) -> Vec<PluginInfo> {
        let mut plugins: Vec<_> = self.snapshot().plugins.values().map(|plugin| plugin.info()).collect();
        plugins.sort_by(|a, b| a.name.cmp(&b.name));
        plugins
    }

    /// The plugin of this id.
    pub fn plugin(&self, id: Uuid) -> Option<PluginInfo> {
        self.snapshot().plugins.get(&id).map(|plugin| plugin.info())
    }

    /// Changes grants, settings or the switch of a plugin.
    pub async fn change_plugin(&self, id: Uuid, change: PluginChange) -> Result<PluginInfo, RegistryError> {
        let plugin = self.snapshot().plugins.get(&id).cloned().ok_or(RegistryError::NotFound)?;
        if let Some(grants) = &change.grants {
            let grants = Grants::from_json(grants.clone())?;
            grants.check(&stored_imports(&plugin.row.imports), &self.exposed)?;
            // Whoever changes another version at the same moment wins nothing: what is stored is judged again when it is read.
            if self.signatures.required() {
                plugin::judge(&plugin.row, &grants, &self.signatures)?;
            }
        }
        if change.settings.as_ref().is_some_and(|settings| !settings.is_object()) {
            return Err(RegistryError::Settings);
        }
        self.db.change_plugin(id, &change).await?.ok_or(RegistryError::NotFound)?;
        self.reload().await?;
        self.plugin(id).ok_or(RegistryError::NotFound)
    }

    /// Deletes a plugin and its tools.
    pub async fn delete_plugin(&self, id: Uuid) -> Result<(), RegistryError> {
        self.db.delete_plugin(id).await?.ok_or(RegistryError::NotFound)?;
        self.reload().await
    }

    /// Reads the registry. Plugins that did not change keep their linked component.
    pub(super) async fn reload(&self) -> Result<(), RegistryError> {
        let _one_at_a_time = self.reloading.lock().await;
        let old = self.snapshot();
        let registry = self.db.registry().await?;
        let mut next = Snapshot { version: registry.version, ..Snapshot::default() };
        for row in registry.plugins {
            let kept = old
                .plugins
                .get(&row.id)
                .filter(|old| old.row.updated_at == row.updated_at && old.row.digest == row.digest);
            let plugin = kept.cloned().unwrap_or_else(|| Arc::new(Plugin::new(row, &self.signatures)));
            if plugin.row.enabled && plugin.refused.is_none() {
                next.tools.extend(read_tools(&plugin));
            }
            next.plugins.insert(plugin.row.id, plugin);
        }
        for row in registry.custom_tools {
            let kept = old.custom.get(&row.name).filter(|old| old.row == row).cloned();
            match kept.map_or_else(|| CustomTool::new(row).map(Arc::new), Ok) {
                Ok(tool) => {
                    next.custom.insert(tool.row.name.clone(), tool);
                }
                Err(error) => tracing::error!(error = %error, "a stored custom tool cannot be served"),
            }
        }
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// Compiles and links every enabled plugin now, so that the first calls need not wait.
    pub async fn warm_up(&self) {
        let plugins: Vec<_> = self
            .snapshot()
            .plugins
            .values()
            .filter(|plugin| plugin.row.enabled && plugin.refused.is_none())
            .cloned()
            .collect();
        for plugin in plugins {
            if let Err(error) = plugin.loaded(&self.db, &self.sandbox).await {
                tracing::error!(plugin.name = %plugin.row.name, error = %error, "cannot load a plugin");
            }
        }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn stored_imports(imports: &serde_json::Value) -> Vec<ImportedInterface> {
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let read = |import: &serde_json::Value| {
        Some(ImportedInterface {
            name: text(import.get("name")?)?,
            functions: import.get("functions")?.as_array()?.iter().filter_map(text).collect(),
        })
    };
    imports.as_array().into_iter().flatten().filter_map(read).collect()
}

fn read_tools(plugin: &Arc<Plugin>) -> impl Iterator<Item = (String, Arc<Tool>)> {
    plugin.row.tools.iter().filter_map(|definition| {
        let info = plugin.tool_info(definition);
        let input = Schema::new(&info.input_schema)
            .inspect_err(
                |error| tracing::error!(tool.name = %info.name, error = %error, "a stored schema cannot be used"),
            )
            .ok()?;
        Some((info.name.clone(), Arc::new(Tool { info, input, plugin: Arc::clone(plugin) })))
    })
}

/// Reloads when another host announces a change, and looks every few seconds whether an announcement was missed.
async fn follow(tools: std::sync::Weak<Tools>) {
    let mut listener = None;
    loop {
        let Some(held) = tools.upgrade() else { return };
        if listener.is_none() {
            listener = held.db.listener().await.ok();
            if let Some(fresh) = &mut listener
                && fresh.listen("behalf_registry").await.is_err()
            {
                listener = None;
            }
        }
        match held.db.registry_version().await {
            Ok(version) if version != held.snapshot().version => {
                if let Err(error) = held.reload().await {
                    tracing::warn!(error = %error, "cannot reload the registry");
                }
            }
            Ok(_) => {}
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(error = %error, "cannot read the registry's version"),
        }
        drop(held);
        match &mut listener {
            Some(announcements) => {
                if let Ok(Err(_)) = tokio::time::timeout(POLL, announcements.recv()).await {
                    listener = None;
                }
            }
            None => tokio::time::sleep(POLL).await,
        }
    }
}
