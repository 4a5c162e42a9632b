//! Calls that are looked at from the inside, for the conformance suite: arguments go to the component as they are, and
//! what the guest said on the way is kept. Store, capabilities, gate and transaction are those of a call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::call::{ToolCallError, plugin_statement_limits};
use super::plugin::Plugin;
use super::registry::Tools;
use crate::db::{CallRecord, GuestDb, StatementRecord};
use crate::identity::Principal;
use crate::sandbox::{Before, CallError, LogLine, Progress, Request};

/// Reports of progress that are kept.
const MAX_REPORTS: usize = 1_000;

/// A call to try.
#[derive(Clone, Debug)]
pub struct TrialCall {
    /// For whom.
    pub principal: Arc<Principal>,
    /// The registered plugin.
    pub plugin: Uuid,
    /// A tool's name, or what is none.
    pub tool: String,
    /// What the component is given, not checked against any schema.
    pub arguments: String,
}

/// What came of it.
#[derive(Debug)]
pub struct Trial {
    /// The tool's JSON, or why there is none.
    pub result: Result<String, CallError>,
    /// What it logged and printed.
    pub log: Vec<LogLine>,
    /// What it reported.
    pub progress: Vec<Progress>,
    /// What it asked the database.
    pub statements: Vec<StatementRecord>,
    /// From begin to commit.
    pub duration: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}

impl Tools {
    /// Tries a call. What it writes is committed if it went well and `keep` says so, else rolled back.
    pub async fn try_call(self: &Arc<Self>, call: TrialCall, keep: bool) -> Result<Trial, ToolCallError> {
        let plugin = self.held(call.plugin).ok_or(ToolCallError::NotFound)?;
        let tools = Arc::clone(self);
        let work = async move {
            let loaded = plugin.loaded(&tools.db, &tools.sandbox).await.map_err(ToolCallError::Unavailable)?;
            let (to, mut reports) = mpsc::channel(MAX_REPORTS);
            let (mut request, record) = tools.request(&plugin, &call);
            request.progress = Some(to);
            let started = Instant::now();
            let executed = tools.sandbox.execute(loaded, request).await;
            let mut result = executed.result;
            if let Some(mut database) = executed.database {
                let failed = match &result {
                    Ok(_) if keep || database.has_failed_writes() => database.commit().await.err(),
                    _ => None,
                };
                if let Some(error) = failed {
                    result = Err(CallError::Commit { code: error.code, message: error.message });
                }
                database.rollback().await;
            }
            let mut progress = Vec::new();
            while let Ok(report) = reports.try_recv() {
                progress.push(report);
            }
            let statements = record.lock().unwrap_or_else(PoisonError::into_inner).statements.clone();
            let (duration, memory_bytes) = (started.elapsed(), executed.memory_bytes);
            Ok(Trial { result, log: executed.log, progress, statements, duration, memory_bytes })
        };
        let done = self.sandbox.on_guest_threads(work).await;
        done.unwrap_or_else(|| Err(ToolCallError::Unavailable("the call's task ended".into())))
    }

    /// Tries a call and then the same tool with other arguments, in one instance. Nothing is kept.
    pub async fn try_calls_in_one_instance(
        self: &Arc<Self>,
        call: TrialCall,
        more: Vec<String>,
        before_last: Before,
    ) -> Result<Vec<Result<String, CallError>>, ToolCallError> {
        let plugin = self.held(call.plugin).ok_or(ToolCallError::NotFound)?;
        let tools = Arc::clone(self);
        let work = async move {
            let loaded = plugin.loaded(&tools.db, &tools.sandbox).await.map_err(ToolCallError::Unavailable)?;
            let (request, _) = tools.request(&plugin, &call);
            Ok(tools.sandbox.execute_again(loaded, request, &more, before_last).await)
        };
        let done = self.sandbox.on_guest_threads(work).await;
        done.unwrap_or_else(|| Err(ToolCallError::Unavailable("the calls' task ended".into())))
    }

    /// What a registered plugin imports and was not granted.
    pub async fn missing_grant(&self, plugin: Uuid) -> Result<Option<String>, ToolCallError> {
        let plugin = self.held(plugin).ok_or(ToolCallError::NotFound)?;
        let loaded = plugin.loaded(&self.db, &self.sandbox).await.map_err(ToolCallError::Unavailable)?;
        Ok(loaded.missing().map(str::to_owned))
    }

    fn request(&self, plugin: &Arc<Plugin>, call: &TrialCall) -> (Request, Arc<Mutex<CallRecord>>) {
        let record = Arc::new(Mutex::new(CallRecord::begin(&call.principal, &call.tool, [0; 32])));
        let limits = plugin_statement_limits(plugin);
        let database: Option<GuestDb> = plugin
            .database
            .as_ref()
            .map(|grant| self.db.guest(Arc::clone(&call.principal), Arc::clone(grant), limits, Arc::clone(&record)));
        let request = Request {
            principal: Arc::clone(&call.principal),
            plugin: plugin.row.id,
            session_id: None,
            tool: call.tool.clone(),
            arguments: call.arguments.clone(),
            call: serde_json::json!({ "call_id": Uuid::nil() }).to_string(),
            settings: Arc::clone(&plugin.settings),
            database,
            progress: None,
        };
        (request, record)
    }
}
