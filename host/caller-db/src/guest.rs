//! Runs a guest's statements: through the gate, within limits, in the caller's transaction, with an audit record. No
//! other code runs SQL of guests.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fallible_iterator::FallibleIterator;

use super::allowed_statement::Statement;
use super::answer_size::bytes_to_read;
use super::app::AppLog;
use super::array::array_literal;
use super::audit::{AuditLog, CallRecord, StatementRecord};
use super::caller_tx::{Allowed, CallerTx, TxError};
use super::catalog::{CatalogCell, DatabaseGrant};
use super::commit::WorkEnd;
use super::describe::DESCRIBE;
use super::document;
use super::failed_statement::FailedStatement;
use super::kv::KvScope;
use super::reach::ReachCache;
use super::revoked::RevokedNames;
use super::statement_error::{OUT_OF_MEMORY, StatementError};
use super::tool_pool::ToolPool;
use super::trace::{StatementTrace, TracedStatement};
use super::types::TypeKind;
use super::value::Value;
use super::wait_time::WaitTime;
use behalf_gate::{Gate, Kind, ParameterBound, Verdict};
use behalf_host_db::bind::Access;
use behalf_identity::{CallerKey, Principal};
use behalf_pgwire::Answer;
use futures::future::BoxFuture;

/// Bytes of values that are converted at once. After each piece others get their turn, and a call that works for long leaves the
/// thread of its request.
const PIECE: usize = 64 * 1024;

/// Limits on a call's use of the database.
#[derive(Clone, Copy, Debug)]
pub struct StatementLimits {
    /// The most rows of one answer.
    pub max_rows: u32,
    /// The most bytes of one answer.
    pub max_bytes: usize,
    /// The most statements of one call.
    pub max_statements: u32,
    /// How long a transaction may wait for its next statement.
    pub max_idle: Duration,
}

/// The rows of an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSet {
    /// Name and type of each column.
    pub columns: Vec<(String, String)>,
    /// The rows, each with its values in the order of the columns.
    pub rows: Vec<Vec<Value>>,
    /// Whether a limit cut rows off.
    pub truncated: bool,
}

/// The state that all calls share.
#[derive(Debug)]
pub(super) struct ToolDb {
    pub(super) pool: Arc<ToolPool>,
    pub(super) gate: Gate,
    pub(super) audit: AuditLog,
    pub(super) app_log: AppLog,
    pub(super) catalog: CatalogCell,
    pub(super) reach: ReachCache,
    pub(super) revoked: RevokedNames,
    /// Set where the program asked for the texts of statements.
    pub(super) trace: OnceLock<Arc<StatementTrace>>,
}

/// The database of one call: the caller's transactions, behind the gate.
#[derive(Debug)]
pub struct GuestDb {
    pub(super) shared: Arc<ToolDb>,
    pub(super) tx: CallerTx,
    pub(super) grant: Arc<DatabaseGrant>,
    pub(super) limits: StatementLimits,
    pub(super) record: Arc<Mutex<CallRecord>>,
    statements: u32,
    pub(super) end: Option<WorkEnd>,
    pub(super) wrote: bool,
    pub(super) committed: bool,
    pub(super) idle_since: Option<Instant>,
    /// The store of the call's plugin, where the call has one.
    pub(super) kv: Option<KvScope>,
}

impl GuestDb {
    pub(super) fn new(
        shared: Arc<ToolDb>,
        principal: Arc<Principal>,
        key: CallerKey,
        grant: Arc<DatabaseGrant>,
        limits: StatementLimits,
        record: Arc<Mutex<CallRecord>>,
    ) -> Self {
        let access = if grant.write() { Access::Write } else { Access::Read };
        let tx = CallerTx::new(Arc::clone(&shared.pool), principal, key, access);
        Self {
            shared,
            tx,
            grant,
            limits,
            record,
            statements: 0,
            end: None,
            wrote: false,
            committed: false,
            idle_since: None,
            kv: None,
        }
    }

    /// The time that the call has waited for connections. It is the host's, not the call's.
    pub fn wait_time(&self) -> Arc<WaitTime> {
        Arc::clone(self.tx.wait_time())
    }

    /// Whether the call has committed writes.
    pub fn has_committed(&self) -> bool {
        self.committed
    }

    /// Runs a statement that returns rows.
    pub fn query<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<RowSet, StatementError>> {
        Box::pin(async move {
            let (statement, answer) = self.ask(sql, params).await?;
            self.rows(&Statement::from(&*statement), answer).await
        })
    }

    /// The same for a guest with little memory. Before the rows are read out of the answer, `fits` is asked whether there is
    /// room for the bytes that this takes; if there is none, no rows are returned.
    pub fn query_within<'a>(
        &'a mut self,
        sql: &'a str,
        params: &'a [Value],
        fits: &'a mut (dyn FnMut(usize) -> bool + Send),
    ) -> BoxFuture<'a, Result<Option<RowSet>, StatementError>> {
        Box::pin(async move {
            let (statement, answer) = self.ask(sql, params).await?;
            if !fits(bytes_to_read(&answer)) {
                return Ok(None);
            }
            self.rows(&Statement::from(&*statement), answer).await.map(Some)
        })
    }

    async fn ask(&mut self, sql: &str, params: &[Value]) -> Result<(Arc<Verdict>, Answer), StatementError> {
        let verdict = self.check(sql).await?;
        let answer = self.run(&Statement::from(&*verdict), params).await?;
        Ok((verdict, answer))
    }

    /// Runs a statement that changes rows, and returns their number.
    pub fn execute<'a>(&'a mut self, sql: &'a str, params: &'a [Value]) -> BoxFuture<'a, Result<u64, StatementError>> {
        Box::pin(async move {
            let verdict = self.check(sql).await?;
            if verdict.kind == Kind::Select {
                let error = StatementError::new(
                    "invalid",
                    "execute runs INSERT, UPDATE, DELETE and MERGE; use query for this statement",
                );
                self.keep(FailedStatement::new(sql, &error));
                return Err(error);
            }
            Ok(self.run(&Statement::from(&*verdict), params).await?.affected)
        })
    }

    /// Describes the tables and columns that the caller's role may use in the granted schemas, as JSON.
    pub fn describe<'a>(&'a mut self, schema: Option<&'a str>) -> BoxFuture<'a, Result<String, StatementError>> {
        Box::pin(async move {
            let schemas: Vec<&str> = self
                .grant
                .schemas()
                .iter()
                .map(String::as_str)
                .filter(|name| schema.is_none_or(|wanted| wanted == *name))
                .collect();
            let tables: Vec<String> =
                self.grant.tables().iter().map(|(schema, table)| format!("{schema}.{table}")).collect();
            let params = [Value::Text(array_literal(&schemas)), Value::Text(array_literal(&tables))];
            let statement = Statement {
                text: DESCRIBE,
                fingerprint: "describe",
                returns_rows: true,
                writes: false,
                parameters: params.len(),
                parameter_bounds: &[],
            };
            let answer = self.run(&statement, &params).await?;
            let rows = self.rows(&statement, answer).await?;
            match rows.rows.into_iter().next().and_then(|row| row.into_iter().next()) {
                Some(Value::Text(json)) => Ok(json),
                _ => Err(StatementError::new("limit", "the schema is too large to describe; name one schema")),
            }
        })
    }

    async fn check(&mut self, sql: &str) -> Result<Arc<Verdict>, StatementError> {
        let (version, mut policy) = self.grant.policy(&self.shared.catalog);
        let mut checked = self.shared.gate.check(sql, &policy).await;
        // A table that was just created is not in the catalog yet.
        if checked.as_ref().is_err_and(|refusal| refusal.may_be_new_name())
            && self.shared.catalog.refresh(version).await.unwrap_or(false)
        {
            (_, policy) = self.grant.policy(&self.shared.catalog);
            checked = self.shared.gate.check(sql, &policy).await;
        }
        checked.map_err(|refusal| {
            self.note((sql, None), refusal.rule(), 0, None);
            let error = StatementError::from(&*refusal);
            self.keep(FailedStatement::new(sql, &error).with_fix(&refusal, &policy, &self.grant));
            error
        })
    }

    async fn run(&mut self, statement: &Statement<'_>, params: &[Value]) -> Result<Answer, StatementError> {
        self.count_statement()?;
        self.refuse_after_failure()?;
        let noted = (statement.text, Some(statement.fingerprint));
        if statement.parameters != params.len() {
            self.note(noted, "wrong_parameters", 0, None);
            let error = StatementError::wrong_parameters(statement.parameters, params.len());
            self.keep(FailedStatement::new(statement.text, &error));
            return Err(error);
        }
        let values = encoded(params).await;
        if let Some(reason) = too_long(statement.parameter_bounds, &values) {
            self.note(noted, "value_too_large", 0, None);
            let error = StatementError::new("limit", reason);
            self.keep(FailedStatement::new(statement.text, &error));
            return Err(error);
        }
        let documents = documents_of(params);
        // One row more than allowed shows whether there are more.
        let max_rows = if statement.returns_rows { self.limits.max_rows.saturating_add(1) } else { 0 };
        // A transaction that may write for the sake of a store lets statements that may not write do so no more than before.
        let read_only = self.tx.writes() && !self.grant.write();
        let max_bytes = self.limits.max_bytes;
        let (text, params, documents) = (statement.text, &*values, &*documents);
        let allowed = Allowed { text, params, documents, max_rows, max_bytes, before: None, read_only };
        self.wrote |= statement.writes;
        self.send(noted, allowed).await
    }

    /// Counts one more statement of the call.
    pub(super) fn count_statement(&mut self) -> Result<(), StatementError> {
        self.statements = self.statements.saturating_add(1);
        if self.statements > self.limits.max_statements {
            return Err(StatementError::new(
                "limit",
                format!("a call may run {} statements; do more in each", self.limits.max_statements),
            ));
        }
        Ok(())
    }

    /// Sends a statement, and notes by `noted` what became of it. A failure ends its scope, or the call's work.
    pub(super) async fn send(
        &mut self,
        noted: (&str, Option<&str>),
        allowed: Allowed<'_>,
    ) -> Result<Answer, StatementError> {
        self.idle_since = None;
        let result = self.tx.run(allowed).await;
        self.idle_since = Some(Instant::now());
        match result {
            Ok(answer) => {
                self.note(noted, "allowed", answer.affected.max(answer.rows.len() as u64), None);
                Ok(answer)
            }
            Err(error) => {
                let verdict = match error {
                    TxError::Identity => "identity_changed",
                    TxError::Busy(_) => "busy",
                    TxError::Failed | TxError::NotMade | TxError::Unknown | TxError::Wire(_) => "allowed",
                };
                self.note(noted, verdict, 0, error.sqlstate());
                Err(self.failed(noted.0, &error).await)
            }
        }
    }

    /// Ends what a statement that the server did not carry out ends, and keeps what its tool's author needs.
    async fn failed(&mut self, text: &str, server: &TxError) -> StatementError {
        let mut error = StatementError::from(server);
        if error.sqlstate.as_deref() == Some(OUT_OF_MEMORY) && error.code == "limit" {
            error.message = self.shared.pool.out_of_memory().into();
        }
        let error = self.shared.revoked.explain(error);
        if !matches!(server, TxError::Busy(_)) {
            self.keep(FailedStatement::new(text, &error).with_server(server));
        }
        if matches!(server, TxError::Identity) {
            self.end_with(&error).await;
        } else {
            self.fail(&error).await;
        }
        error
    }

    async fn rows(&mut self, statement: &Statement<'_>, mut answer: Answer) -> Result<RowSet, StatementError> {
        if answer.rows.is_empty() && answer.truncated {
            let too_large =
                format!("the first row alone is larger than {} bytes; select less of it", self.limits.max_bytes);
            let error = StatementError::new("limit", too_large);
            self.fail(&error).await;
            return Err(error);
        }
        let limit = self.limits.max_rows as usize;
        let truncated = answer.truncated || answer.rows.len() > limit;
        answer.rows.truncate(limit);
        if !statement.returns_rows {
            return Ok(RowSet::default());
        }
        if answer.columns.iter().any(|column| self.tx.types().get(column.type_oid).is_none())
            && let Err(error) = self.tx.refresh_types().await
        {
            let error = StatementError::from(&error);
            self.fail(&error).await;
            return Err(error);
        }
        let (mut columns, mut kinds) = (Vec::new(), Vec::new());
        for column in &*answer.columns {
            let (name, kind) = match self.tx.types().get(column.type_oid) {
                Some(entry) => (entry.name, entry.kind),
                None => (column.type_oid.to_string(), TypeKind::Text),
            };
            columns.push((column.name.clone(), name));
            kinds.push(kind);
        }
        let mut rows = Vec::with_capacity(answer.rows.len());
        let mut piece = 0;
        for row in &answer.rows {
            piece += row.buffer().len();
            if piece > PIECE {
                piece = 0;
                tokio::task::yield_now().await;
            }
            let mut values = Vec::with_capacity(kinds.len());
            let mut ranges = row.ranges();
            let mut kinds = kinds.iter();
            while let (Ok(Some(range)), Some(kind)) = (ranges.next(), kinds.next()) {
                let text = range.and_then(|range| row.buffer().get(range));
                values.push(text.map_or(Value::Null, |text| Value::decode(text, *kind)));
            }
            rows.push(values);
        }
        Ok(RowSet { columns, rows, truncated })
    }

    /// Notes a statement, by its text and its fingerprint, and what became of it. Texts are kept where the program asked for them.
    pub(super) fn note(
        &self,
        (text, fingerprint): (&str, Option<&str>),
        rule: &'static str,
        rows: u64,
        sqlstate: Option<&str>,
    ) {
        // Refused statements do not count against the limit of statements, so the record has its own limit.
        const MAX_TRAIL: usize = 200;
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(trace), Some(user_id)) = (self.shared.trace.get(), record.user_id) {
            trace.add(TracedStatement {
                number: 0,
                user_id,
                role: record.role,
                tool: Some(Arc::clone(&record.tool)),
                text: text.to_owned(),
                rows,
                verdict: rule,
                sqlstate: sqlstate.map(str::to_owned),
            });
        }
        if record.statements.len() < MAX_TRAIL {
            record.statements.push(StatementRecord {
                fingerprint: fingerprint.map(str::to_owned),
                verdict: rule,
                rows,
                sqlstate: sqlstate.map(str::to_owned),
            });
        }
    }

    /// Keeps a statement that failed, for the author of its tool.
    fn keep(&self, failed: FailedStatement) {
        self.record.lock().unwrap_or_else(PoisonError::into_inner).texts.keep_statement(failed);
    }

    /// After a failed statement nothing more runs: in its scope, or outside of one in the call.
    pub(super) fn refuse_after_failure(&mut self) -> Result<(), StatementError> {
        self.refuse_after_end()?;
        if self.tx.scopes().has_failed() { Err(StatementError::scope_failed()) } else { Ok(()) }
    }

    /// A statement failed, which ends its scope, or the call's work where none is open.
    async fn fail(&mut self, error: &StatementError) {
        if !self.tx.undo_scope().await {
            self.end_with(error).await;
        }
    }
}

/// Parameters in the server's text format, a piece at a time.
async fn encoded(params: &[Value]) -> Vec<Option<Cow<'_, [u8]>>> {
    let mut values = Vec::with_capacity(params.len());
    let mut piece = 0;
    for param in params {
        piece += param.size();
        if piece > PIECE {
            piece = 0;
            tokio::task::yield_now().await;
        }
        values.push(param.encode());
    }
    values
}

/// Why a value is not sent: it is longer than its bound.
fn too_long(bounds: &[ParameterBound], values: &[Option<Cow<'_, [u8]>>]) -> Option<String> {
    bounds.iter().find_map(|ParameterBound { index, bytes, what }| {
        let value = index.checked_sub(1).and_then(|index| values.get(index));
        let length = value.and_then(Option::as_ref).map_or(0, |value| value.len());
        (length > *bytes).then(|| {
            format!(
                "{what} takes at most {bytes} bytes here, and the parameter ${index} has {length}; use a shorter value"
            )
        })
    })
}

/// The numbers of the parameters that are JSON arrays or objects.
fn documents_of(params: &[Value]) -> Vec<usize> {
    let is_document = |param: &Value| matches!(param, Value::Text(text) if document::is_document(text));
    params.iter().enumerate().filter(|(_, param)| is_document(param)).map(|(index, _)| index).collect()
}
