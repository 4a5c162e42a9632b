//! Calls that the conformance suite looks into: the arguments go to the component unchecked, and everything that the guest logged
//! and reported is kept. Store, capabilities, gate and transaction are those of an ordinary call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use behalf_caller_db::{CallRecord, GuestDb, StatementRecord};
use behalf_contracts::ToolCallError;
use behalf_identity::{CallerKey, Principal};
use behalf_sandbox::{
    Before, CallError, CallOutput, EgressRecord, KnowledgeScope, LogLine, OperationRecord, Report, Request,
    StorageRecord,
};
use futures::future::BoxFuture;
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::call::PluginRuntime;
use crate::plugin::Plugin;
use crate::plugin_secrets::trial_secrets;
use crate::registry::ToolRegistry;

/// Reports of progress that are kept.
const MAX_REPORTS: usize = 1_000;

/// A call to try.
#[derive(Clone, Debug)]
pub struct TrialCall {
    /// The caller.
    pub principal: Arc<Principal>,
    /// The registered plugin.
    pub plugin: Uuid,
    /// The name of a tool; the plugin may have none of this name.
    pub tool: String,
    /// The arguments, which are not checked against any schema.
    pub arguments: String,
}

/// What a tried call did.
#[derive(Debug)]
pub struct Trial {
    /// The tool's JSON, or why there is none.
    pub result: Result<String, CallError>,
    /// What it logged and printed.
    pub log: Vec<LogLine>,
    /// What it reported, and the parts of its result that it showed before.
    pub progress: Vec<Report>,
    /// The statements that it sent to the database.
    pub statements: Vec<StatementRecord>,
    /// What it did with objects.
    pub storage: Vec<StorageRecord>,
    /// Its searches, and what it did with memories.
    pub operations: Vec<OperationRecord>,
    /// The HTTP requests that it made, and those that were refused.
    pub egress: Vec<EgressRecord>,
    /// From begin to commit.
    pub duration: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}

/// Tries calls of registered plugins. Clones share everything.
#[derive(Clone, Debug)]
pub struct ConformanceHooks {
    registry: ToolRegistry,
    runtime: Arc<PluginRuntime>,
}

impl ConformanceHooks {
    pub(crate) fn new(registry: ToolRegistry, runtime: Arc<PluginRuntime>) -> Self {
        Self { registry, runtime }
    }

    /// Tries a call. Its writes are committed if the call succeeds and `keep` says so, and rolled back otherwise.
    pub fn try_call(&self, call: TrialCall, keep: bool) -> BoxFuture<'_, Result<Trial, ToolCallError>> {
        Box::pin(async move {
            let plugin = self.plugin(call.plugin)?;
            let work = try_once(Arc::clone(&self.runtime), plugin, call, keep);
            let done = self.runtime.sandbox.on_guest_threads(work).await;
            done.unwrap_or_else(|| Err(ToolCallError::Unavailable("the call's task ended".into())))
        })
    }

    /// Tries a call and then the same tool with other arguments, in one instance. Every write is rolled back.
    pub fn try_calls_in_one_instance(
        &self,
        call: TrialCall,
        more: Vec<String>,
        before_last: Before,
    ) -> BoxFuture<'_, Result<Vec<Result<String, CallError>>, ToolCallError>> {
        Box::pin(async move {
            let plugin = self.plugin(call.plugin)?;
            let runtime = Arc::clone(&self.runtime);
            let work = async move {
                let linked = runtime.linked(&plugin).await?;
                let (request, _) = request(&runtime, &plugin, &call);
                Ok(runtime.sandbox.execute_again(linked, request, &more, before_last).await)
            };
            let done = self.runtime.sandbox.on_guest_threads(work).await;
            done.unwrap_or_else(|| Err(ToolCallError::Unavailable("the calls' task ended".into())))
        })
    }

    /// The first interface that a registered plugin imports and was not granted.
    pub async fn missing_grant(&self, plugin: Uuid) -> Result<Option<String>, ToolCallError> {
        let plugin = self.plugin(plugin)?;
        Ok(self.runtime.linked(&plugin).await?.missing().map(str::to_owned))
    }

    fn plugin(&self, id: Uuid) -> Result<Arc<Plugin>, ToolCallError> {
        self.registry.held_plugin(id).ok_or(ToolCallError::NotFound)
    }
}

async fn try_once(
    runtime: Arc<PluginRuntime>,
    plugin: Arc<Plugin>,
    call: TrialCall,
    keep: bool,
) -> Result<Trial, ToolCallError> {
    let linked = runtime.linked(&plugin).await?;
    let (to, mut reports) = mpsc::channel(MAX_REPORTS);
    let (mut request, record) = request(&runtime, &plugin, &call);
    request.progress = Some(to);
    let started = Instant::now();
    let output = runtime.sandbox.execute(linked, request).await;
    let CallOutput { mut result, database, log, storage, operations, egress, memory_bytes, .. } = output;
    if let Some(database) = database
        && let Some(error) = end(database, result.is_ok(), keep).await
    {
        result = Err(error);
    }
    let mut progress = Vec::new();
    while let Ok(report) = reports.try_recv() {
        progress.push(report);
    }
    let statements = record.lock().unwrap_or_else(PoisonError::into_inner).statements.clone();
    let duration = started.elapsed();
    Ok(Trial { result, log, progress, statements, storage, operations, egress, duration, memory_bytes })
}

/// Ends the transaction of a tried call, and returns why its commit failed. A commit after a failed statement is tried even
/// where the writes are not kept, because it fails for an ordinary call as well.
async fn end(mut database: GuestDb, succeeded: bool, keep: bool) -> Option<CallError> {
    let failed = if succeeded && (keep || database.has_failed()) { database.finish().await.err() } else { None };
    database.rollback().await;
    failed.map(|error| CallError::Commit { code: error.code, message: error.message })
}

fn request(runtime: &PluginRuntime, plugin: &Plugin, call: &TrialCall) -> (Request, Arc<Mutex<CallRecord>>) {
    let record = Arc::new(Mutex::new(CallRecord::begin(&call.principal, &call.tool, [0; 32])));
    let effects = plugin.effects(&call.tool);
    let key = CallerKey::new(&call.principal, None);
    let request = Request {
        principal: Arc::clone(&call.principal),
        key,
        plugin: plugin.row.id,
        session_id: None,
        agent: None,
        knowledge: KnowledgeScope::default(),
        tool: call.tool.clone(),
        effects,
        arguments: call.arguments.clone(),
        call: json!({ "call_id": Uuid::nil() }).to_string(),
        settings: Arc::clone(&plugin.settings),
        http_secrets: trial_secrets(plugin),
        database: runtime.database(plugin, effects, &call.principal, key, &record),
        signer: Some(runtime.assertions(&call.principal, (Uuid::nil(), None))),
        progress: None,
    };
    (request, record)
}
