//! Single steps of a call, for `behalf bench`. Each runs the code of an ordinary call, without the steps before and after it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use behalf_caller_db::{CallRecord, GuestDb};
use behalf_contracts::ToolCallError;
use behalf_identity::{CallerKey, Principal};
use behalf_sandbox::{CallError, HttpSecrets, KnowledgeScope, Request};
use futures::future::BoxFuture;
use serde_json::Value;
use uuid::Uuid;

use crate::call::PluginRuntime;
use crate::plugin::PluginTool;
use crate::registry::ToolRegistry;

/// What a guest used.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Its own time, as in the audit log: without the database and other waits.
    pub guest_time: Duration,
    /// The most memory it had, with what the host kept for it.
    pub memory_bytes: usize,
}

/// Runs single steps of calls. Clones share everything.
#[derive(Clone, Debug)]
pub struct BenchHooks {
    registry: ToolRegistry,
    runtime: Arc<PluginRuntime>,
}

impl BenchHooks {
    pub(crate) fn new(registry: ToolRegistry, runtime: Arc<PluginRuntime>) -> Self {
        Self { registry, runtime }
    }

    /// Checks arguments against a tool's schema, and counts the faults.
    pub fn check_arguments(&self, tool: &str, arguments: &Value) -> Result<usize, ToolCallError> {
        Ok(self.tool(tool)?.input.faults(arguments).len())
    }

    /// The database that a call of the tool would get. Its statements pass the gate and leave no audit row.
    pub fn database_of(&self, tool: &str, principal: &Arc<Principal>) -> Result<GuestDb, ToolCallError> {
        self.database(&*self.tool(tool)?, principal).ok_or(ToolCallError::NotFound)
    }

    /// Makes a call from begin to commit, without the audit row, and measures what the guest itself uses.
    pub fn measure_call<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Value,
        principal: &'a Arc<Principal>,
    ) -> BoxFuture<'a, Result<Measured, ToolCallError>> {
        Box::pin(async move {
            let tool = self.tool(tool)?;
            let linked = self.runtime.linked(&tool.plugin).await?;
            let database = self.database(&tool, principal);
            let request = request(&tool, arguments.to_string(), principal, database);
            let output = self.runtime.sandbox.execute(linked, request).await;
            if let Some(mut database) = output.database {
                let commit = database.commit().await;
                commit.map_err(|error| failed(CallError::Commit { code: error.code, message: error.message }))?;
            }
            output.result.map_err(failed)?;
            Ok(Measured { guest_time: output.guest_time, memory_bytes: output.memory_bytes })
        })
    }

    /// The time that the sandbox takes for one call of a tool without a database: store, instance, call, and their end.
    pub fn time_guest<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a str,
        principal: &'a Arc<Principal>,
    ) -> BoxFuture<'a, Result<Duration, ToolCallError>> {
        Box::pin(async move {
            let tool = self.tool(tool)?;
            let linked = self.runtime.linked(&tool.plugin).await?;
            let request = request(&tool, arguments.to_owned(), principal, None);
            let started = Instant::now();
            let output = self.runtime.sandbox.execute(linked, request).await;
            let time = started.elapsed();
            output.result.map(|_| time).map_err(failed)
        })
    }

    fn tool(&self, name: &str) -> Result<Arc<PluginTool>, ToolCallError> {
        self.registry.plugin_tool(name).ok_or(ToolCallError::NotFound)
    }

    fn database(&self, tool: &PluginTool, principal: &Arc<Principal>) -> Option<GuestDb> {
        let record = Arc::new(Mutex::new(CallRecord::begin(principal, &tool.info.name, [0; 32])));
        let key = CallerKey::new(principal, None);
        self.runtime.database(&tool.plugin, tool.info.effects, principal, key, &record)
    }
}

fn failed(error: CallError) -> ToolCallError {
    ToolCallError::Call { call_id: Uuid::nil(), error }
}

fn request(tool: &PluginTool, arguments: String, principal: &Arc<Principal>, database: Option<GuestDb>) -> Request {
    Request {
        principal: Arc::clone(principal),
        key: CallerKey::new(principal, None),
        plugin: tool.plugin.row.id,
        session_id: None,
        agent: None,
        knowledge: KnowledgeScope::default(),
        tool: tool.own_name.to_string(),
        effects: tool.info.effects,
        arguments,
        call: "{}".to_owned(),
        settings: Arc::clone(&tool.plugin.settings),
        http_secrets: HttpSecrets::default(),
        database,
        signer: None,
        progress: None,
    }
}
