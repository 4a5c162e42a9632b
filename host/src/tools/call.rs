use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::custom::MANAGED_PREFIX;
use super::definition::ToolInfo;
use super::plugin::{Plugin, Tool};
use super::registry::Tools;
use super::schema::Fault;
use crate::db::{AuditLog, Blame, CallRecord, CreditError, CreditHold, Db, GuestDb, Hold, StatementLimits};
use crate::identity::Principal;
use crate::sandbox::{Blamed, CallError, EgressRecord, Executed, Progress, Request};

/// Statements of one call.
const MAX_STATEMENTS: u32 = 1_000;
/// Bytes of one answer of the database.
const MAX_ROW_BYTES: usize = 4 * 1024 * 1024;
/// How long a transaction may wait for its tool to go on.
const MAX_IDLE: Duration = Duration::from_secs(5);

/// What a call belongs to.
#[derive(Clone, Debug, Default)]
pub struct CallContext {
    /// The HTTP request.
    pub request_id: Option<String>,
    /// The agent whose run this is.
    pub agent_id: Option<Uuid>,
    /// Its session.
    pub session_id: Option<String>,
    /// Its run.
    pub run_id: Option<String>,
    /// The step of that run.
    pub step: Option<u32>,
    /// The model's name for the call.
    pub model_call_id: Option<String>,
    /// The host's hold on the run; once it is lost nothing of the call is committed.
    pub hold: Option<Hold>,
}

/// What a call returned.
#[derive(Clone, Debug)]
pub struct CallOutcome {
    /// The call, as in the audit log.
    pub call_id: Uuid,
    /// The tool's JSON.
    pub result: Box<RawValue>,
    /// From the request to the commit.
    pub duration: Duration,
}

/// Why a call returned nothing.
#[derive(Debug, Error)]
pub enum ToolCallError {
    /// No tool of this name.
    #[error("Tool not found")]
    NotFound,
    /// The arguments do not fit the tool's schema.
    #[error("the arguments do not fit the tool's schema: {}", list(.0))]
    Arguments(Vec<Fault>),
    /// The call itself failed.
    #[error("{error}")]
    Call {
        /// The call, as in the audit log.
        call_id: Uuid,
        /// What happened.
        error: CallError,
    },
    /// There are not enough credits for it, or nobody can say.
    #[error(transparent)]
    Credits(#[from] CreditError),
    /// The component could not be loaded.
    #[error("the tool cannot be loaded right now; try again shortly")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ToolCallError {
    /// A short stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Arguments(_) => "invalid_arguments",
            Self::Call { error, .. } => error.name(),
            Self::Credits(CreditError::Insufficient { .. }) => "insufficient_credits",
            Self::Credits(CreditError::Unreachable(_)) | Self::Unavailable(_) => "unavailable",
        }
    }
}

fn list(faults: &[Fault]) -> String {
    let one =
        |fault: &Fault| format!("{}: {}", if fault.pointer.is_empty() { "/" } else { &fault.pointer }, fault.message);
    faults.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl Tools {
    /// Calls a tool as the principal; one of an MCP server, where the agent of `context` has that server. Dropping the
    /// future ends the guest and rolls back, unless its commit is under way.
    pub async fn call(
        self: &Arc<Self>,
        principal: &Arc<Principal>,
        tool: &str,
        arguments: Value,
        context: CallContext,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<CallOutcome, ToolCallError> {
        // A delegated run's toolbox holds no other tools; this holds wherever a call comes from.
        if principal.delegation().is_some_and(|delegation| !delegation.allows_tool(tool)) {
            return Err(ToolCallError::NotFound);
        }
        if tool.starts_with(MANAGED_PREFIX)
            && let Some(agent) = context.agent_id
        {
            let tool = self.mcp_tool(principal, agent, tool).await?;
            return self.call_mcp(principal, &tool, arguments, context).await;
        }
        if let Some(tool) = self.custom(tool) {
            return self.call_custom(&tool, principal, &arguments, context).await;
        }
        let tool = self.tool(tool).ok_or(ToolCallError::NotFound)?;
        let text = arguments.to_string();
        let audit = self.db.audit().clone();
        let mut row = Row::open(audit, principal, &tool.info, Some(&tool.plugin), &text, context);
        let faults = tool.input.faults(&arguments);
        if !faults.is_empty() {
            row.close("invalid_arguments", Some(Blame::Caller), None);
            return Err(ToolCallError::Arguments(faults));
        }
        if let Err(error) = tool.plugin.loaded(&self.db, &self.sandbox).await {
            row.close("unavailable", Some(Blame::Host), Some(error.to_string()));
            return Err(ToolCallError::Unavailable(error));
        }
        row.secure(&self.db, principal).await?;
        let work = Arc::clone(self).run(tool, Arc::clone(principal), text, row, progress);
        match self.sandbox.on_guest_threads(work).await {
            Some(outcome) => outcome,
            None => Err(ToolCallError::Unavailable("the call's task ended".into())),
        }
    }

    async fn run(
        self: Arc<Self>,
        tool: Arc<Tool>,
        principal: Arc<Principal>,
        arguments: String,
        row: Row,
        progress: Option<mpsc::Sender<Progress>>,
    ) -> Result<CallOutcome, ToolCallError> {
        let loaded = tool.plugin.loaded(&self.db, &self.sandbox).await.map_err(ToolCallError::Unavailable)?;
        let limits = statement_limits(&tool);
        let database = tool
            .plugin
            .database
            .as_ref()
            .map(|grant| self.db.guest(Arc::clone(&principal), Arc::clone(grant), limits, Arc::clone(&row.record)));
        // Each takes the record's lock and lets go of it before the next one asks.
        let session_id = row.record().session_id.clone();
        let call = row.facts();
        let request = Request {
            principal,
            plugin: tool.plugin.row.id,
            session_id,
            tool: tool.info.name.clone(),
            arguments,
            call,
            settings: Arc::clone(&tool.plugin.settings),
            database,
            progress,
        };
        let executed = self.sandbox.execute(loaded, request).await;
        // A commit that was begun is finished, whether or not anybody still waits for the answer.
        if executed.result.is_ok() && executed.database.as_ref().is_some_and(GuestDb::has_writes) {
            let finish = tokio::spawn(finish(executed, row));
            return finish.await.unwrap_or_else(|error| Err(ToolCallError::Unavailable(error.into())));
        }
        finish(executed, row).await
    }
}

/// What the tool's grants let one call ask of the database.
pub(super) fn statement_limits(tool: &Tool) -> StatementLimits {
    plugin_statement_limits(&tool.plugin)
}

/// The same, of all its plugin's tools.
pub(super) fn plugin_statement_limits(plugin: &Plugin) -> StatementLimits {
    StatementLimits {
        max_rows: plugin.grants.database().map_or(0, |grant| grant.max_rows),
        max_bytes: MAX_ROW_BYTES,
        max_statements: MAX_STATEMENTS,
        max_idle: MAX_IDLE,
    }
}

/// Ends the transaction, then the audit row.
async fn finish(executed: Executed, mut row: Row) -> Result<CallOutcome, ToolCallError> {
    let Executed { mut result, database, log, egress, guest_time, memory_bytes } = executed;
    if let Some(mut database) = database {
        if result.is_ok() {
            if let Err(error) = database.commit().await {
                result = Err(CallError::Commit { code: error.code, message: error.message });
            }
        } else {
            database.rollback().await;
        }
    }
    let call_id = row.measure(guest_time, memory_bytes, &egress);
    for line in log {
        tracing::debug!(call.id = %call_id, tool.name = %row.tool, guest.level = line.level, "{}", line.message);
    }
    let duration = row.started.elapsed();
    match result {
        Ok(json) => {
            row.close("ok", None, None);
            row.settle(Some(call_id)).await;
            let result = RawValue::from_string(json).map_err(|error| ToolCallError::Unavailable(error.into()))?;
            Ok(CallOutcome { call_id, result, duration })
        }
        Err(error) => {
            row.fail(&error);
            row.settle(None).await;
            Err(ToolCallError::Call { call_id, error })
        }
    }
}

/// What the audit log keeps of a failure. A tool's own words may hold row contents, so only their code stays, and what of
/// it could look like a line of the log, or is no text to Postgres, does not.
fn operator_detail(error: &CallError) -> String {
    let detail = match error {
        CallError::Tool { code, .. } => format!("the tool answered {}", code.chars().take(40).collect::<String>()),
        CallError::Commit { code, .. } => format!("commit: {code}"),
        other => other.to_string(),
    };
    detail.replace(char::is_control, " ")
}

/// A call's audit row. However the call ends, also by a dropped request, the row is written once.
pub(super) struct Row {
    audit: AuditLog,
    record: Arc<Mutex<CallRecord>>,
    tool: String,
    started: Instant,
    open: bool,
    /// What is to be settled when the call ends. A call that is dropped keeps it until its time is over.
    hold: Option<CreditHold>,
}

impl Row {
    /// Of a tool, and of its plugin where it has one.
    pub(super) fn open(
        audit: AuditLog,
        principal: &Principal,
        tool: &ToolInfo,
        plugin: Option<&Plugin>,
        arguments: &str,
        context: CallContext,
    ) -> Self {
        let mut record = CallRecord::begin(principal, &tool.name, Sha256::digest(arguments.as_bytes()).into());
        record.plugin = plugin.map(|plugin| plugin.row.name.clone());
        record.plugin_digest = plugin.map(|plugin| format!("\\x{}", hex::encode(plugin.row.digest)));
        record.agent_id = context.agent_id;
        record.session_id = context.session_id;
        record.run_id = context.run_id;
        record.step = context.step.and_then(|step| i32::try_from(step).ok());
        record.model_call_id = context.model_call_id;
        record.hold = context.hold;
        record.request_id = context.request_id;
        let tool = tool.name.clone();
        Self { audit, record: Arc::new(Mutex::new(record)), tool, started: Instant::now(), open: true, hold: None }
    }

    fn record(&self) -> std::sync::MutexGuard<'_, CallRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds credits back for the call, where they are counted. A run's calls are paid for with the run.
    pub(super) async fn secure(&mut self, db: &Db, principal: &Principal) -> Result<(), ToolCallError> {
        if self.record().run_id.is_some() {
            return Ok(());
        }
        match db.hold_for_call(principal, &self.tool).await {
            Ok(hold) => self.hold = hold,
            Err(error) => {
                self.close("insufficient_credits", Some(Blame::Caller), None);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Charges a call that went well, and lets go of what was held back for one that did not.
    pub(super) async fn settle(&mut self, good: Option<Uuid>) {
        match (self.hold.take(), good) {
            (Some(hold), Some(call_id)) => hold.charge(call_id).await,
            (Some(hold), None) => hold.release().await,
            (None, _) => {}
        }
    }

    /// The same from a place that cannot wait.
    pub(super) fn settle_later(&mut self, good: Option<Uuid>) {
        let Some(hold) = self.hold.take() else { return };
        tokio::spawn(async move {
            match good {
                Some(call_id) => hold.charge(call_id).await,
                None => hold.release().await,
            }
        });
    }

    /// What the guest learns of its call.
    fn facts(&self) -> String {
        let record = self.record();
        let facts = [
            ("call_id", Some(record.call_id.to_string())),
            ("agent_id", record.agent_id.map(|id| id.to_string())),
            ("session_id", record.session_id.clone()),
            ("run_id", record.run_id.clone()),
        ];
        let facts = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?))));
        Value::Object(facts.collect()).to_string()
    }

    /// The call and the agent that makes it.
    pub(super) fn ids(&self) -> (Uuid, Option<Uuid>) {
        let record = self.record();
        (record.call_id, record.agent_id)
    }

    /// Since the call began.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Notes what was sent so far.
    pub(super) fn record_egress(&mut self, egress: &[EgressRecord]) -> Uuid {
        let mut record = self.record();
        record.egress = serde_json::to_value(egress).unwrap_or_default();
        record.call_id
    }

    /// Ends the row of a call that failed.
    pub(super) fn fail(&mut self, error: &CallError) {
        self.close(error.name(), Some(error.blame()), Some(operator_detail(error)));
    }

    fn measure(&mut self, guest_time: Duration, memory_bytes: usize, egress: &[EgressRecord]) -> Uuid {
        let mut record = self.record();
        record.egress = serde_json::to_value(egress).unwrap_or_default();
        record.guest_us = i64::try_from(guest_time.as_micros()).ok();
        record.memory_bytes = i64::try_from(memory_bytes).ok();
        record.call_id
    }

    pub(super) fn close(&mut self, outcome: &str, blame: Option<Blame>, detail: Option<String>) {
        if !std::mem::replace(&mut self.open, false) {
            return;
        }
        let duration = self.started.elapsed();
        let mut record = self.record().clone();
        outcome.clone_into(&mut record.outcome);
        record.blame = blame;
        record.detail = detail;
        record.duration_us = i64::try_from(duration.as_micros()).ok();
        metrics::counter!("behalf_tool_calls_total", "tool" => self.tool.clone(), "outcome" => outcome.to_owned())
            .increment(1);
        metrics::histogram!("behalf_tool_call_seconds", "tool" => self.tool.clone()).record(duration.as_secs_f64());
        self.audit.finish_later(record);
    }
}

impl Drop for Row {
    fn drop(&mut self) {
        self.close("cancelled", Some(Blame::Caller), Some("the request went away before the call ended".to_owned()));
    }
}
