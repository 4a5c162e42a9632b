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
use crate::linked_components::LinkedComponents;
use crate::plugin::{Plugin, PluginInfo, PluginTool};
use crate::signature::Signatures;
use crate::store::{CHANNEL, CustomToolRow, RegistryRows, RegistryStore, RowStates, full_name};

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
    readers: RowReaders,
    snapshot: RwLock<Arc<Snapshot>>,
    reloading: tokio::sync::Mutex<()>,
}

/// What reading a row into a plugin needs. Clones share it.
#[derive(Clone, Debug)]
struct RowReaders {
    signatures: Arc<Signatures>,
    components: Arc<LinkedComponents>,
}

#[derive(Debug, Default)]
struct Snapshot {
    version: i64,
    /// The state in which each row was read. A row that cannot be served has one as well, and is read once.
    states: RowStates,
    plugins: HashMap<Uuid, Arc<Plugin>>,
    tools: HashMap<String, Arc<PluginTool>>,
    /// Tools that are called by their own names, by their full ones.
    full_names: HashMap<String, Arc<PluginTool>>,
    custom: HashMap<String, Arc<CustomTool>>,
    /// Every tool that can be called, in order of names.
    listed: Vec<Arc<ToolInfo>>,
}

impl ToolRegistry {
    /// Loads the registry, and starts the job that keeps it fresh. The job ends with the last clone of the registry.
    pub(crate) async fn start(db: HostDb, signatures: Arc<Signatures>, jobs: &Jobs) -> Result<Self, RegistryError> {
        let shared = Arc::new(Shared {
            store: RegistryStore::new(db.clone()),
            db,
            readers: RowReaders { signatures, components: Arc::default() },
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
        self.shared.snapshot().listed.iter().map(|info| ToolInfo::clone(info)).collect()
    }

    /// The tool of this name, its short or its full one, where it can be called.
    pub fn get(&self, name: &str) -> Option<ToolInfo> {
        let snapshot = self.shared.snapshot();
        let plugin = snapshot.plugin_tool(name).map(|tool| &tool.info);
        let info = plugin.or_else(|| snapshot.custom.get(name).map(|tool| &tool.info))?;
        Some(ToolInfo::clone(info))
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

    /// The plugin of this name.
    pub(crate) fn plugin_named(&self, name: &str) -> Option<Arc<Plugin>> {
        self.shared.snapshot().plugins.values().find(|plugin| plugin.row.name == name).cloned()
    }

    pub(crate) fn plugin_tool(&self, name: &str) -> Option<Arc<PluginTool>> {
        self.shared.snapshot().plugin_tool(name).cloned()
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
    /// Reads what changed in the registry. What did not change keeps its prepared schemas and its linked component.
    async fn reload(&self) -> Result<(), sqlx::Error> {
        let _one_at_a_time = self.reloading.lock().await;
        let old = self.snapshot();
        let (rows, states) = self.store.read_changed(&old.states).await?;
        let readers = self.readers.clone();
        // Thousands of rows take a while, and each signature that is required is checked.
        let next = tokio::task::spawn_blocking(move || Snapshot::after(&old, rows, states, &readers)).await;
        let next = next.map_err(|_| sqlx::Error::WorkerCrashed)?;
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.readers.components.forget_unused();
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
    fn plugin_tool(&self, name: &str) -> Option<&Arc<PluginTool>> {
        self.tools.get(name).or_else(|| self.full_names.get(name))
    }

    /// What follows an `old` snapshot: `rows` are those that changed since, and `states` has every row there is.
    fn after(old: &Self, rows: RegistryRows, states: RowStates, readers: &RowReaders) -> Self {
        let RegistryRows { version, plugins, custom_tools } = rows;
        let is_kept = |id: &Uuid| states.get(id).is_some_and(|state| old.states.get(id) == Some(state));
        let kept = old.plugins.values().filter(|plugin| is_kept(&plugin.row.id)).cloned();
        let read = plugins.into_iter().map(|row| Arc::new(Plugin::new(row, &readers.signatures, &readers.components)));
        let plugins: HashMap<_, _> = kept.chain(read).map(|plugin| (plugin.row.id, plugin)).collect();
        let kept = old.custom.values().filter(|tool| is_kept(&tool.row.id)).cloned();
        let custom = kept.chain(custom_tools.into_iter().filter_map(custom_tool));
        let custom: HashMap<_, _> = custom.map(|tool| (tool.row.name.clone(), tool)).collect();
        let tools = plugins.values().filter(|plugin| plugin.is_served()).flat_map(Plugin::tools);
        let tools: HashMap<_, _> = tools.map(|tool| (tool.info.name.clone(), Arc::new(tool))).collect();
        let full = |tool: &Arc<PluginTool>| (full_name(&tool.plugin.row.name, &tool.own_name), Arc::clone(tool));
        let full_names = tools.values().map(full).filter(|(name, tool)| *name != tool.info.name).collect();
        let infos = tools.values().map(|tool| &tool.info).chain(custom.values().map(|tool| &tool.info));
        let mut listed: Vec<_> = infos.cloned().collect();
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self { version, states, plugins, tools, full_names, custom, listed }
    }
}

/// A custom tool, where it can be served.
fn custom_tool(row: CustomToolRow) -> Option<Arc<CustomTool>> {
    match CustomTool::stored(row) {
        Ok(tool) => Some(Arc::new(tool)),
        Err(error) => {
            tracing::error!(error = error.log_text(), "a stored custom tool cannot be served");
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
