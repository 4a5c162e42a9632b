//! The audit log: one row per tool call. The row of a call that writes is stored before the call commits, so that no
//! committed change lacks its row. Other rows are written in batches, because a commit for each would cost more than
//! the call.

use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use serde::Serialize;
use sqlx::types::Json;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::call_texts::{self, CallTexts};
use crate::commit_guard::CommitGuard;

/// How long a reader waits for rows that are about to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// Rows that wait to be written. When the queue is full, calls wait.
const QUEUE: usize = 4096;

/// The most rows of one insert.
const BATCH: usize = 256;

/// How long the writer collects rows for one insert.
const GATHER: Duration = Duration::from_millis(50);

/// Waits between attempts to write. The writer never gives up: a database that cannot be reached must not cost the log
/// its rows.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(10))
    .without_max_times();

/// The party that caused the failure of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The tool.
    Guest,
    /// The caller.
    Caller,
    /// This host or its database.
    Host,
}

/// One statement of a call. Its values are never stored.
#[derive(Clone, Debug, Serialize)]
pub struct StatementRecord {
    /// The fingerprint of the statement's shape; `None` where it could not be parsed.
    pub fingerprint: Option<String>,
    /// `allowed`, or the rule of the gate that refused it.
    pub verdict: String,
    /// Rows returned or changed.
    pub rows: u64,
    /// SQLSTATE of the server's error, if it failed there.
    pub sqlstate: Option<String>,
}

/// A row of the audit log.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// The call's id.
    pub call_id: Uuid,
    /// The name of the actor who made the request.
    pub actor: String,
    /// The user in whose name the call is made, if any.
    pub user_id: Option<Uuid>,
    /// The database role.
    pub role: &'static str,
    /// The tool's name.
    pub tool: String,
    /// The plugin's name.
    pub plugin: Option<String>,
    /// SHA-256 of the plugin's component, as `\x…`.
    pub plugin_digest: Option<String>,
    /// The agent that makes the call, if one does.
    pub agent_id: Option<Uuid>,
    /// The agent's session.
    pub session_id: Option<String>,
    /// The run in that session.
    pub run_id: Option<String>,
    /// The step of that run.
    pub step: Option<i32>,
    /// The id that the model gave the call.
    pub model_call_id: Option<String>,
    /// A condition for the commit, such as that no other host has taken the run over.
    #[serde(skip)]
    pub commit_guard: Option<Arc<dyn CommitGuard>>,
    /// The id of the HTTP request.
    pub request_id: Option<String>,
    /// SHA-256 of the arguments as they were sent, as `\x…`.
    pub arguments_sha256: String,
    /// The statements of the tool, refused ones included.
    pub statements: Vec<StatementRecord>,
    /// Ids of the transactions that wrote, as `pg_xact_status` takes them.
    pub transaction_ids: Vec<String>,
    /// Outbound requests: method, host, port and outcome, never a path or a body.
    pub egress: serde_json::Value,
    /// The start of the call (RFC 3339).
    pub started_at: String,
    /// Microseconds from the start to the end of the call.
    pub duration_us: Option<i64>,
    /// Microseconds in which the guest itself ran.
    pub guest_us: Option<i64>,
    /// The greatest memory of the guest in bytes.
    pub memory_bytes: Option<i64>,
    /// `started`, `ok`, or the name of the error.
    pub outcome: String,
    /// The party that caused a failure.
    pub blame: Option<Blame>,
    /// A sentence for the operator, without row contents.
    pub detail: Option<String>,
    /// What the tool, its servers and the caller wrote, in a table of its own.
    #[serde(skip)]
    pub texts: CallTexts,
}

impl CallRecord {
    /// The row of a call that begins now.
    pub fn begin(principal: &Principal, tool: &str, arguments_sha256: [u8; 32]) -> Self {
        Self {
            call_id: Uuid::now_v7(),
            actor: principal.actor(),
            user_id: principal.subject(),
            role: principal.role().as_str(),
            tool: tool.to_owned(),
            plugin: None,
            plugin_digest: None,
            agent_id: None,
            session_id: None,
            run_id: None,
            step: None,
            model_call_id: None,
            commit_guard: None,
            request_id: None,
            arguments_sha256: format!("\\x{}", hex::encode(arguments_sha256)),
            statements: Vec::new(),
            transaction_ids: Vec::new(),
            egress: serde_json::Value::Array(Vec::new()),
            started_at: chrono::Utc::now().to_rfc3339(),
            duration_us: None,
            guest_us: None,
            memory_bytes: None,
            outcome: "started".to_owned(),
            blame: None,
            detail: None,
            texts: CallTexts::default(),
        }
    }
}

enum Entry {
    Row(Box<CallRecord>),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// Sends rows to the writer of the audit log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    db: HostDb,
    queue: mpsc::Sender<Entry>,
}

impl AuditLog {
    /// Starts the writer.
    pub(super) fn start(db: HostDb, jobs: &Jobs) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        let writer = write_batches(db.clone(), entries);
        // The loop ends with `close`, not when the host begins to stop: calls may still end after that.
        jobs.spawn("audit-writer", |_stop| writer);
        Self { db, queue }
    }

    /// Stores the row of a call that is about to commit changes; only after that may the call commit. Returns false if
    /// the call's commit guard forbids the commit. A host that takes a run over waits for the commits announced before,
    /// so that no write is done twice.
    pub(super) async fn announce(&self, record: &CallRecord) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        if let Some(guard) = &record.commit_guard
            && !guard.may_commit(&mut tx).await?
        {
            return Ok(false);
        }
        insert_into(&mut tx, &[record]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Queues the row of a call that ended.
    pub async fn finish(&self, record: CallRecord) {
        if self.queue.send(Entry::Row(Box::new(record))).await.is_err() {
            tracing::error!("the audit log's writer is gone");
        }
    }

    /// Queues a row from code that cannot wait, such as a drop. If the queue is full, a task waits instead.
    pub fn finish_later(&self, record: CallRecord) {
        if let Err(mpsc::error::TrySendError::Full(entry)) = self.queue.try_send(Entry::Row(Box::new(record))) {
            let queue = self.queue.clone();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { queue.send(entry).await.ok() });
            }
        }
    }

    /// Deletes texts of calls that are older than so many days; their audit rows stay.
    pub async fn prune_texts(&self, days: u32) -> Result<(), sqlx::Error> {
        call_texts::prune(&self.db, days).await
    }

    /// Waits until all rows queued so far are written, but not for ever: a log that cannot be written must not keep its readers.
    pub async fn flush(&self) {
        tokio::time::timeout(FLUSH_PATIENCE, self.ask(Entry::Flush)).await.ok();
    }

    /// Waits until all rows queued so far are written, and ends the writer.
    pub(super) async fn close(&self) {
        self.ask(Entry::Close).await;
    }

    async fn ask(&self, entry: impl FnOnce(oneshot::Sender<()>) -> Entry) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(entry(done)).await.is_ok() {
            wait.await.ok();
        }
    }
}

async fn write_batches(db: HostDb, mut entries: mpsc::Receiver<Entry>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while entries.recv_many(&mut waiting, BATCH).await > 0 {
        if waiting.len() < BATCH && waiting.iter().all(|entry| matches!(entry, Entry::Row(_))) {
            tokio::time::sleep(GATHER).await;
            while waiting.len() < BATCH {
                let Ok(entry) = entries.try_recv() else { break };
                waiting.push(entry);
            }
        }
        let rows: Vec<_> = waiting
            .iter()
            .filter_map(|entry| match entry {
                Entry::Row(row) => Some(&**row),
                Entry::Flush(_) | Entry::Close(_) => None,
            })
            .collect();
        let written = (|| insert(&db, &rows))
            .retry(BACKOFF)
            .when(|error| !matches!(error, sqlx::Error::PoolClosed) && !is_about_data(error))
            .notify(|error, _| {
                tracing::error!(
                    error = error.log_text(),
                    rows = rows.len(),
                    "cannot write the audit log; trying again"
                );
            })
            .await;
        match written {
            Ok(()) => {}
            Err(sqlx::Error::PoolClosed) => return,
            Err(_) => insert_singly(&db, &rows).await,
        }
        for entry in waiting.drain(..) {
            match entry {
                Entry::Row(_) => {}
                Entry::Flush(done) => drop(done.send(())),
                Entry::Close(done) => {
                    // The rows that are still queued are written; no more are taken.
                    entries.close();
                    done.send(()).ok();
                }
            }
        }
    }
}

/// Whether the server refuses the rows themselves (SQLSTATE classes 22 and 23). Another attempt would fail as well, and
/// hold up every row behind them.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// Writes each row by itself, so that a refused row does not cost the log the others.
async fn insert_singly(db: &HostDb, rows: &[&CallRecord]) {
    for row in rows {
        if let Err(error) = insert(db, &[row]).await {
            tracing::error!(error = error.log_text(), call.id = %row.call_id, outcome = %row.outcome, "a row of the audit log was refused and is lost");
        }
    }
}

async fn insert(db: &HostDb, rows: &[&CallRecord]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin_as_host().await?;
    insert_into(&mut tx, rows).await?;
    tx.commit().await
}

async fn insert_into(tx: &mut HostTx, rows: &[&CallRecord]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into ai.tool_calls as old
         select * from jsonb_populate_recordset(null::ai.tool_calls, $1)
         on conflict (call_id) do update set
             statements = excluded.statements, transaction_ids = excluded.transaction_ids,
             egress = excluded.egress, duration_us = excluded.duration_us, guest_us = excluded.guest_us,
             memory_bytes = excluded.memory_bytes,
             outcome = excluded.outcome, blame = excluded.blame, detail = excluded.detail",
    )
    .bind(Json(rows))
    .execute(&mut **tx)
    .await?;
    let texts: Vec<_> = rows.iter().filter_map(|row| row.texts.row(row.call_id)).collect();
    call_texts::insert(tx, &texts).await
}
