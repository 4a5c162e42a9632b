//! The audit row of a call. However the call ends, also by a dropped request, the row is written once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use behalf_caller_db::{AuditLog, Blame, CallRecord};
use behalf_contracts::{CallContext, CreditHold, CreditLedger, ToolCallError, ToolInfo, ToolKind};
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use behalf_sandbox::{CallError, EgressRecord, LogLine, OperationRecord, StorageRecord};
use behalf_schema::{CheckError, Fault, Schema};
use behalf_telemetry::metric::{self, ToolLabel};
use behalf_telemetry::trace;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::Span;
use uuid::Uuid;

use super::shown;
use crate::plugin::Plugin;

/// The audit row of a call that is being made, and the credits that are held for the call. Dropped before it is closed,
/// it records the call as cancelled.
pub(crate) struct AuditGuard {
    audit: AuditLog,
    record: Arc<Mutex<CallRecord>>,
    call_id: Uuid,
    tool: Arc<str>,
    kind: ToolKind,
    /// The span of the call in a trace.
    span: Span,
    started: Instant,
    is_open: bool,
    /// The credits that are held for the call. Those of a call that is dropped stay held until the hold expires.
    credits: Option<Box<dyn CreditHold>>,
}

impl AuditGuard {
    /// Begins the row of a call.
    pub(crate) fn open(
        audit: AuditLog,
        principal: &Principal,
        tool: &ToolInfo,
        plugin: Option<&Plugin>,
        arguments: &str,
        context: CallContext,
    ) -> Self {
        let mut record = CallRecord::begin(principal, &tool.name, Sha256::digest(arguments.as_bytes()).into());
        record.plugin = plugin.map(|plugin| plugin.row.name.clone());
        record.plugin_digest = plugin.map(|plugin| plugin.row.digest);
        record.agent_id = context.agent_id;
        record.session_id = context.session_id;
        record.run_id = context.run_id;
        record.step = context.step.and_then(|step| i32::try_from(step).ok());
        record.model_call_id = context.model_call_id;
        record.commit_guard = context.commit_guard;
        record.request_id = context.request_id;
        let span = Span::current();
        trace_call(&span, &record);
        Self {
            span,
            audit,
            call_id: record.call_id,
            tool: Arc::clone(&record.tool),
            record: Arc::new(Mutex::new(record)),
            kind: tool.kind,
            started: Instant::now(),
            is_open: true,
            credits: None,
        }
    }

    /// The row, for the statements that the call makes.
    pub(super) fn shared_record(&self) -> &Arc<Mutex<CallRecord>> {
        &self.record
    }

    fn record(&self) -> MutexGuard<'_, CallRecord> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arguments, where they fit the tool's schema; else the call ends.
    pub(crate) async fn check_arguments(&mut self, schema: &Schema, arguments: Value) -> Result<Value, ToolCallError> {
        let checked = schema.check(arguments).await.inspect_err(|error| match error {
            CheckError::Busy(_) => self.close("busy", Some(Blame::Host), None),
            CheckError::Unusable(_) => self.close("unavailable", Some(Blame::Host), Some(error.log_text())),
        });
        let (arguments, faults) = checked?;
        if faults.is_empty() {
            return Ok(arguments);
        }
        self.record_faults(&faults);
        self.close("invalid_arguments", Some(Blame::Caller), None);
        Err(ToolCallError::Arguments(faults))
    }

    fn record_faults(&self, faults: &[Fault]) {
        let mut record = self.record();
        for Fault { pointer, message } in faults {
            record.texts.keep_fault(pointer, message.as_str().into());
        }
    }

    /// Holds the credits that the call is estimated to cost, where credits are counted. Calls of a run are paid for
    /// with the run.
    pub(crate) async fn hold_credits(
        &mut self,
        ledger: Option<&dyn CreditLedger>,
        principal: &Principal,
    ) -> Result<(), ToolCallError> {
        let Some(ledger) = ledger else { return Ok(()) };
        if self.record().run_id.is_some() {
            return Ok(());
        }
        match ledger.hold_for_call(principal, &self.tool).await {
            Ok(held) => self.credits = held,
            Err(error) => {
                self.close("insufficient_credits", Some(Blame::Caller), None);
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Charges the call where it succeeded, and frees the credits that were held for it where it failed.
    pub(super) async fn settle(&mut self, succeeded: Option<Uuid>) {
        match (self.credits.take(), succeeded) {
            (Some(credits), Some(call_id)) => credits.charge(call_id).await,
            (Some(credits), None) => credits.release().await,
            (None, _) => {}
        }
    }

    /// Does the same in a task of its own.
    pub(crate) fn settle_later(&mut self, succeeded: Option<Uuid>) {
        let Some(credits) = self.credits.take() else { return };
        tokio::spawn(match succeeded {
            Some(call_id) => credits.charge(call_id),
            None => credits.release(),
        });
    }

    /// What the guest learns of its call, as JSON.
    pub(super) fn guest_facts(&self) -> String {
        let record = self.record();
        let facts = GuestFacts {
            agent_id: record.agent_id,
            call_id: record.call_id,
            run_id: record.run_id.as_deref(),
            session_id: record.session_id.as_deref(),
        };
        serde_json::to_string(&facts).unwrap_or_else(|_| "{}".to_owned())
    }

    /// The session that the call belongs to.
    pub(super) fn session_id(&self) -> Option<String> {
        self.record().session_id.clone()
    }

    /// The call's id and the agent that makes it.
    pub(crate) fn ids(&self) -> (Uuid, Option<Uuid>) {
        (self.call_id, self.record().agent_id)
    }

    /// The time since the call began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Writes what was sent so far to the row, unless the row has ended, and returns the call's id.
    pub(crate) fn record_egress(&mut self, egress: &[EgressRecord]) -> Uuid {
        if self.is_open {
            self.record().egress = egress_json((egress, &[], &[]));
        }
        self.call_id
    }

    /// Writes what the guest used to the row, and returns the call's id.
    pub(super) fn record_guest(&mut self, guest_time: Duration, memory_bytes: usize, outside: Outside<'_>) -> Uuid {
        let mut record = self.record();
        record.egress = egress_json(outside);
        record.guest_us = i64::try_from(guest_time.as_micros()).ok();
        record.memory_bytes = i64::try_from(memory_bytes).ok();
        self.call_id
    }

    /// Keeps the lines that the guest logged: in the call's own record, not in the log of the host.
    pub(super) fn record_log(&mut self, log: Vec<LogLine>) {
        if log.is_empty() {
            return;
        }
        let mut record = self.record();
        for LogLine { level, message } in log {
            record.texts.keep_line(level, message);
        }
    }

    /// Ends the row of a call that succeeded.
    pub(crate) fn succeed(&mut self) {
        self.close("ok", None, None);
    }

    /// Ends the row of a call that failed.
    pub(crate) fn fail(&mut self, error: &CallError) {
        if let CallError::Tool { message, .. } | CallError::Commit { message, .. } | CallError::Misfit(message) = error
        {
            self.record().texts.keep_failure(message.clone());
        }
        self.close(error.name(), Some(error.blame()), Some(error.to_string()));
    }

    /// Ends the row of a call whose tool this host cannot run now.
    pub(super) fn fail_unavailable(&mut self, error: &ToolCallError) {
        let detail = error.log_text();
        self.close("unavailable", Some(Blame::Host), Some(detail));
    }

    fn close(&mut self, outcome: &'static str, blame: Option<Blame>, detail: Option<String>) {
        if !std::mem::replace(&mut self.is_open, false) {
            return;
        }
        let duration = self.started.elapsed();
        let mut record = self.take_record();
        record.outcome = outcome;
        record.blame = blame;
        // A trap's text could hold a control character, which could fake a line or which Postgres cannot store.
        record.detail = detail.map(|text| text.replace(char::is_control, " "));
        record.duration_us = i64::try_from(duration.as_micros()).ok();
        let label = match self.kind {
            ToolKind::Mcp => ToolLabel::OfServer,
            ToolKind::Wasm | ToolKind::Http | ToolKind::Agent => ToolLabel::Registered(&self.tool),
        };
        metric::tool_called(label, outcome, duration);
        log_call(&record, label, duration);
        shown::show(&record, duration);
        if outcome != "ok" {
            trace::failed(&self.span, outcome);
        }
        self.audit.finish_later(record);
    }

    /// The row as it is. It is taken where nothing else holds it; where the call's database is still there, it stays
    /// for the database and is copied.
    fn take_record(&mut self) -> CallRecord {
        if let Some(record) = Arc::get_mut(&mut self.record) {
            return std::mem::take(record.get_mut().unwrap_or_else(PoisonError::into_inner));
        }
        self.record().clone()
    }
}

/// What a trace says of a call. Arguments and results are no part of it.
fn trace_call(span: &Span, record: &CallRecord) {
    if !trace::is_on() {
        return;
    }
    trace::attribute(span, "gen_ai.operation.name", "execute_tool");
    trace::attribute(span, "gen_ai.tool.name", record.tool.to_string());
    trace::attribute(span, "gen_ai.tool.call.id", record.call_id.to_string());
    trace::attribute_of(span, "gen_ai.agent.id", record.agent_id.map(|agent| agent.to_string()));
    trace::attribute_of(span, "gen_ai.conversation.id", record.session_id.clone());
    trace::attribute_of(span, "behalf.run.id", record.run_id.clone());
    trace::attribute_of(span, "behalf.plugin.digest", record.plugin_digest.map(hex::encode));
    trace::attribute_of(span, "enduser.id", record.user_id.map(|user| user.to_string()));
}

/// The one line of a call. Names that servers chose are not logged.
fn log_call(record: &CallRecord, tool: ToolLabel<'_>, duration: Duration) {
    let call_id = record.call_id;
    tracing::info!(
        target: "behalf::calls",
        {
            call.id = %call_id,
            tool.name = tool.as_str(),
            outcome = record.outcome,
            duration_ms = duration.as_secs_f64() * 1_000.0,
            agent.id = record.agent_id.map(tracing::field::display),
            run.id = record.run_id.as_deref(),
            request.id = record.request_id.as_deref()
        },
        "a tool call ended"
    );
}

/// The facts in the order of their names.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the interface")]
struct GuestFacts<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_id: Option<Uuid>,
    call_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
}

/// The requests of a call, its operations on objects, and its searches and operations on memories.
type Outside<'a> = (&'a [EgressRecord], &'a [StorageRecord], &'a [OperationRecord]);

/// What a call did beyond the database. Most calls do nothing there.
fn egress_json((egress, storage, operations): Outside<'_>) -> Option<String> {
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Entry<'a> {
        Request(&'a EgressRecord),
        Objects(&'a StorageRecord),
        Texts(&'a OperationRecord),
    }
    let entries = egress.iter().map(Entry::Request).chain(storage.iter().map(Entry::Objects));
    let entries: Vec<_> = entries.chain(operations.iter().map(Entry::Texts)).collect();
    if entries.is_empty() { None } else { serde_json::to_string(&entries).ok() }
}

impl Drop for AuditGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.close("unavailable", Some(Blame::Host), Some("the host failed in the middle of the call".to_owned()));
        }
        self.close("cancelled", Some(Blame::Caller), Some("the request went away before the call ended".to_owned()));
    }
}
