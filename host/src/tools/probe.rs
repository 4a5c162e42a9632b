//! Single steps of a call, for `behalf bench`. Each is the code that a call runs, without what comes before and after.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::call::{ToolCallError, statement_limits};
use super::registry::Tools;
use crate::db::{CallRecord, GuestDb};
use crate::identity::Principal;
use crate::sandbox::Request;

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

    /// How long the sandbox takes for one call of a tool that needs no database: store, instance, call, and its end.
    pub async fn time_guest(
        &self,
        tool: &str,
        arguments: &str,
        principal: &Arc<Principal>,
    ) -> Result<Duration, ToolCallError> {
        let tool = self.tool(tool).ok_or(ToolCallError::NotFound)?;
        let loaded = tool.plugin.loaded(&self.db, &self.sandbox).await.map_err(ToolCallError::Unavailable)?;
        let request = Request {
            principal: Arc::clone(principal),
            plugin: tool.plugin.row.id,
            session_id: None,
            tool: tool.info.name.clone(),
            arguments: arguments.to_owned(),
            call: String::new(),
            settings: Arc::clone(&tool.plugin.settings),
            database: None,
            progress: None,
        };
        let started = Instant::now();
        let executed = self.sandbox.execute(loaded, request).await;
        let time = started.elapsed();
        executed.result.map(|_| time).map_err(|error| ToolCallError::Call { call_id: uuid::Uuid::nil(), error })
    }
}
