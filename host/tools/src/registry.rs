//! The tools that are registered, the same on every host of the database: a snapshot in memory, kept fresh by a job.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use behalf_contracts::ToolInfo;
use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Stop};
use behalf_problem::{Kind, LogText as _, Problem};
use sqlx::postgres::PgListener;
use thiserror::Error;
use uuid::Uuid;

use crate::custom::CustomTool;
use crate::plugin::{Plugin, PluginInfo, PluginTool};
use crate::signature::Signatures;
use crate::store::{CHANNEL, CustomToolRow, PluginRow, RegistryStore};

/// How often the registry's version is read, in case an announcement of a change was missed.
const POLL: Duration = Duration::from_secs(2);

/// Why the registry is not loaded.
#[derive(Debug, Error)]
#[error("the registry cannot be reached")]
pub struct RegistryError(#[from] sqlx::Error);

impl Problem for RegistryError {
    fn kind(&self) -> Kind {
        self.0.kind()
    }

    fn detail(&self) -> String {
        self.0.detail()
    }
}

/// The tools that are registered: those of plugins, and custom tools. Clones share one snapshot.
#[derive(Clone, Debug)]
pub struct ToolRegistry {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    db: HostDb,
    store: RegistryStore,
    signatures: Arc<Signatures>,
    snapshot: RwLock<Arc<Snapshot>>,
    reloading: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Snapshot {
    version: i64,
    plugins: HashMap<Uuid, Arc<Plugin>>,
    tools: HashMap<String, Arc<PluginTool>>,
    custom: HashMap<String, Arc<CustomTool>>,
}

impl ToolRegistry {
    /// Loads the registry, and starts the job that keeps it fresh. The job ends with the last clone of the registry.
    pub(crate) async fn start(db: HostDb, signatures: Arc<Signatures>, jobs: &Jobs) -> Result<Self, RegistryError> {
        let shared = Arc::new(Shared {
            store: RegistryStore::new(db.clone()),
            db,
            signatures,
            snapshot: RwLock::default(),
            reloading: tokio::sync::Mutex::default(),
        });
        shared.reload().await?;
        let followed = Arc::downgrade(&shared);
        jobs.spawn("tool-registry", |stop| follow(followed, stop));
        Ok(Self { shared })
    }

    /// Every tool that can be called, in order of names.
    pub fn list(&self) -> Vec<ToolInfo> {
        let snapshot = self.shared.snapshot();
        let plugins = snapshot.tools.values().map(|tool| &tool.info);
        let mut tools: Vec<_> = plugins.chain(snapshot.custom.values().map(|tool| &tool.info)).cloned().collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        tools
    }

    /// The tool of this name, where it can be called.
    pub fn get(&self, name: &str) -> Option<ToolInfo> {
        let snapshot = self.shared.snapshot();
        let plugin = snapshot.tools.get(name).map(|tool| &tool.info);
        plugin.or_else(|| snapshot.custom.get(name).map(|tool| &tool.info)).cloned()
    }

    /// Every plugin, in order of names.
    pub fn plugins(&self) -> Vec<PluginInfo> {
        let mut plugins: Vec<_> = self.shared.snapshot().plugins.values().map(|plugin| plugin.info()).collect();
        plugins.sort_by(|a, b| a.name.cmp(&b.name));
        plugins
    }

    /// The plugin of this id.
    pub fn plugin(&self, id: Uuid) -> Option<PluginInfo> {
        self.held_plugin(id).map(|plugin| plugin.info())
    }

    /// Reads the registry now, after a change that this host made.
    pub(crate) async fn reload(&self) -> Result<(), RegistryError> {
        Ok(self.shared.reload().await?)
    }

    pub(crate) fn held_plugin(&self, id: Uuid) -> Option<Arc<Plugin>> {
        self.shared.snapshot().plugins.get(&id).cloned()
    }

    pub(crate) fn plugin_tool(&self, name: &str) -> Option<Arc<PluginTool>> {
        self.shared.snapshot().tools.get(name).cloned()
    }

    pub(crate) fn custom_tool(&self, name: &str) -> Option<Arc<CustomTool>> {
        self.shared.snapshot().custom.get(name).cloned()
    }

    /// The plugins whose tools can be called.
    pub(crate) fn served_plugins(&self) -> Vec<Arc<Plugin>> {
        self.shared.snapshot().plugins.values().filter(|plugin| plugin.is_served()).cloned().collect()
    }
}

impl Shared {
    /// Reads the registry. Plugins that did not change keep their linked component.
    async fn reload(&self) -> Result<(), sqlx::Error> {
        let _one_at_a_time = self.reloading.lock().await;
        let old = self.snapshot();
        let rows = self.store.read().await?;
        let mut next = Snapshot { version: rows.version, ..Snapshot::default() };
        for row in rows.plugins {
            let (plugin, tools) = match old.unchanged(&row) {
                Some(plugin) => {
                    let tools = old.tools_of(&plugin);
                    (plugin, tools)
                }
                None => prepared(Arc::new(Plugin::new(row, &self.signatures))).await,
            };
            next.tools.extend(tools.into_iter().map(|tool| (tool.info.name.clone(), tool)));
            next.plugins.insert(plugin.row.id, plugin);
        }
        for row in rows.custom_tools {
            let tool = match old.same_custom(&row) {
                Some(tool) => Some(tool),
                None => prepared_custom(row).await,
            };
            next.custom.extend(tool.map(|tool| (tool.row.name.clone(), tool)));
        }
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        Ok(())
    }

    /// Reads the registry if its version in the database is another one.
    async fn refresh(&self) -> Result<(), sqlx::Error> {
        if self.store.version().await? == self.snapshot().version { Ok(()) } else { self.reload().await }
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection that hears of changes.
    async fn listen(&self) -> Result<PgListener, sqlx::Error> {
        let mut listener = self.db.listener().await?;
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }
}

impl Snapshot {
    fn unchanged(&self, row: &PluginRow) -> Option<Arc<Plugin>> {
        let old = self.plugins.get(&row.id)?;
        (old.row.updated_at == row.updated_at && old.row.digest == row.digest).then(|| Arc::clone(old))
    }

    fn tools_of(&self, plugin: &Arc<Plugin>) -> Vec<Arc<PluginTool>> {
        self.tools.values().filter(|tool| Arc::ptr_eq(&tool.plugin, plugin)).cloned().collect()
    }

    fn same_custom(&self, row: &CustomToolRow) -> Option<Arc<CustomTool>> {
        self.custom.get(&row.name).filter(|old| old.row == *row).cloned()
    }
}

/// A plugin with its tools, where it is served. Schemas are prepared on a thread for blocking work; the registry takes none of the
/// places for strangers' schemas, because it prepares one after the other what an operator has registered.
async fn prepared(plugin: Arc<Plugin>) -> (Arc<Plugin>, Vec<Arc<PluginTool>>) {
    if !plugin.is_served() {
        return (plugin, Vec::new());
    }
    let held = Arc::clone(&plugin);
    let tools = tokio::task::spawn_blocking(move || held.tools().map(Arc::new).collect()).await;
    let tools = tools.inspect_err(
        |error| tracing::error!(plugin.name = %plugin.row.name, error = error.log_text(), "a plugin's schemas cannot be prepared"),
    );
    (plugin, tools.unwrap_or_default())
}

/// A custom tool, where it can be served.
async fn prepared_custom(row: CustomToolRow) -> Option<Arc<CustomTool>> {
    match tokio::task::spawn_blocking(move || CustomTool::new(row)).await {
        Ok(Ok(tool)) => Some(Arc::new(tool)),
        Ok(Err(error)) => {
            tracing::error!(error = error.log_text(), "a stored custom tool cannot be served");
            None
        }
        Err(error) => {
            tracing::error!(error = error.log_text(), "a stored custom tool's schema cannot be prepared");
            None
        }
    }
}

/// Reloads when another host announces a change, and reads the version every few seconds in case it missed one.
async fn follow(registry: Weak<Shared>, stop: Stop) {
    let mut listener = None;
    loop {
        let Some(held) = registry.upgrade() else { return };
        if listener.is_none() {
            listener = held.listen().await.ok();
        }
        match held.refresh().await {
            Ok(()) => {}
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(error = error.log_text(), "cannot read the registry; trying again"),
        }
        drop(held);
        tokio::select! {
            () = stop.requested() => return,
            () = next_change(&mut listener) => {}
        }
    }
}

/// Waits for an announcement, at most for [`POLL`]. A connection that broke is given up.
async fn next_change(listener: &mut Option<PgListener>) {
    match listener {
        Some(announcements) => {
            if let Ok(Err(_)) = tokio::time::timeout(POLL, announcements.recv()).await {
                *listener = None;
            }
        }
        None => tokio::time::sleep(POLL).await,
    }
}
