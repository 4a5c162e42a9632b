//! Single steps of a call, for `behalf bench`. Each is the code that a call runs, without what comes before and after.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::call::{ToolCallError, statement_limits};
use super::plugin::Tool;
use super::registry::Tools;
use crate::db::{CallRecord, GuestDb};
use crate::identity::Principal;
use crate::sandbox::{CallError, Request};

/// What a guest took.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Its own, as in the audit log: without the database, and without what it waited for.
    pub guest_time: Duration,
    /// The most linear memory it had.
    pub memory_bytes: usize,
}

impl Tools {
    /// Checks arguments against a tool's schema.
    pub fn check_arguments(&self, tool: &str, arguments: &Value) -> Result<usize, ToolCallError> {
        let tool = self.tool(tool).ok_or(ToolCallError::NotFound)?;
        Ok(tool.input.faults(arguments).len())
    }

    /// The database a tool would be given for this caller; its statements pass the gate, and leave no audit row.
    pub fn database_of(&self, tool: &str, principal: &Arc<Principal>) -> Result<GuestDb, ToolCallError> {
        let tool = self.tool(tool).ok_or(ToolCallError::NotFound)?;
        let grant = tool.plugin.database.as_ref().ok_or(ToolCallError::NotFound)?;
        let record = Arc::new(Mutex::new(CallRecord::begin(principal, &tool.info.name, [0; 32])));
        Ok(self.db.guest(Arc::clone(principal), Arc::clone(grant), statement_limits(&tool), record))
    }

    /// A call from begin to commit, without the audit row, for the time and memory that the guest itself takes.
    pub async fn measure_call(
        &self,
        tool: &str,
        arguments: &Value,
        principal: &Arc<Principal>,
    ) -> Result<Measured, ToolCallError> {
        let failed = |error| ToolCallError::Call { call_id: uuid::Uuid::nil(), error };
        let database = self.database_of(tool, principal).ok();
        let tool = self.tool(tool).ok_or(ToolCallError::NotFound)?;
        let loaded = tool.plugin.loaded(&self.db, &self.sandbox).await.map_err(ToolCallError::Unavailable)?;
        let request = request(&tool, arguments.to_string(), principal, database);
        let executed = self.sandbox.execute(loaded, request).await;
        if let Some(mut database) = executed.database {
            let commit = database.commit().await;
            commit.map_err(|error| failed(CallError::Commit { code: error.code, message: error.message }))?;
        }
        executed.result.map_err(failed)?;
        Ok(Measured { guest_time: executed.guest_time, memory_bytes: executed.memory_bytes })
    }

    /// How long the sandbox takes for one call of a tool that needs no database: store, instance, call, and its end.
    pub async fn time_guest(
        &self,
        tool: &str,
        arguments: &str,
        principal: &Arc<Principal>,
    ) -> Result<Duration, ToolCallError> {
        let tool = self.tool(tool).ok_or(ToolCallError::NotFound)?;
        let loaded = tool.plugin.loaded(&self.db, &self.sandbox).await.map_err(ToolCallError::Unavailable)?;
        let request = request(&tool, arguments.to_owned(), principal, None);
        let started = Instant::now();
        let executed = self.sandbox.execute(loaded, request).await;
        let time = started.elapsed();
        executed.result.map(|_| time).map_err(|error| ToolCallError::Call { call_id: uuid::Uuid::nil(), error })
    }
}

fn request(tool: &Tool, arguments: String, principal: &Arc<Principal>, database: Option<GuestDb>) -> Request {
    Request {
        principal: Arc::clone(principal),
        plugin: tool.plugin.row.id,
        session_id: None,
        tool: tool.info.name.clone(),
        arguments,
        call: "{}".to_owned(),
        settings: Arc::clone(&tool.plugin.settings),
        database,
        progress: None,
    }
}
