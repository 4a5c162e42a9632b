//! The audit log: one row per tool call. A write is announced before it commits, so that no committed change can lack its
//! row; everything else is written in batches, as a commit of its own per call would cost more than the call.

use std::time::Duration;

use serde::Serialize;
use sqlx::PgPool;
use sqlx::types::Json;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::host_tx::{self, HostTx};
use super::leases::{Hold, is_held};
use crate::identity::Principal;

/// Rows that wait to be written; beyond it calls wait for the log.
const QUEUE: usize = 4096;

/// Rows of one insert.
const BATCH: usize = 256;

/// How long rows gather.
const GATHER: Duration = Duration::from_millis(50);

/// Who is to blame for a call that did not end well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blame {
    /// The tool.
    Guest,
    /// Whoever called it.
    Caller,
    /// This host or its database.
    Host,
}

/// One statement of a call. Values are never kept.
#[derive(Clone, Debug, Serialize)]
pub struct StatementRecord {
    /// Postgres's fingerprint of its shape, none where it could not be parsed.
    pub fingerprint: Option<String>,
    /// `allowed`, or the gate's rule that refused it.
    pub verdict: String,
    /// Rows returned or changed.
    pub rows: u64,
    /// SQLSTATE where it failed on the server.
    pub sqlstate: Option<String>,
}

/// What the audit log knows of a call.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// The call.
    pub call_id: Uuid,
    /// Who made the request.
    pub actor: String,
    /// On whose behalf.
    pub user_id: Option<Uuid>,
    /// Database role.
    pub role: &'static str,
    /// The tool's name.
    pub tool: String,
    /// The plugin's name.
    pub plugin: Option<String>,
    /// SHA-256 of the component, `\x…`.
    pub plugin_digest: Option<String>,
    /// Where the call belongs to an agent's run.
    pub agent_id: Option<Uuid>,
    /// Its session.
    pub session_id: Option<String>,
    /// Its run.
    pub run_id: Option<String>,
    /// The step of that run.
    pub step: Option<i32>,
    /// The model's name for the call.
    pub model_call_id: Option<String>,
    /// The host's hold on the run; once it is lost nothing of the call is committed.
    #[serde(skip)]
    pub hold: Option<Hold>,
    /// The HTTP request.
    pub request_id: Option<String>,
    /// SHA-256 of the arguments as sent, `\x…`.
    pub arguments_sha256: String,
    /// Every statement the tool asked for.
    pub statements: Vec<StatementRecord>,
    /// Numbers of the transactions that wrote, see `pg_xact_status`.
    pub transaction_ids: Vec<String>,
    /// Outbound requests: method, host, port, outcome; never a path or a body.
    pub egress: serde_json::Value,
    /// RFC 3339.
    pub started_at: String,
    /// From the start to the end of the call.
    pub duration_us: Option<i64>,
    /// Of which the guest itself ran.
    pub guest_us: Option<i64>,
    /// The most memory the guest had.
    pub memory_bytes: Option<i64>,
    /// `started`, `ok`, or the error's name.
    pub outcome: String,
    /// Who caused a failure.
    pub blame: Option<Blame>,
    /// A sentence for the operator; no row contents.
    pub detail: Option<String>,
}

impl CallRecord {
    /// A call that begins now.
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
            hold: None,
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
        }
    }
}

enum Entry {
    Row(Box<CallRecord>),
    Flush(oneshot::Sender<()>),
}

/// The way into the log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    pool: PgPool,
    queue: mpsc::Sender<Entry>,
}

impl AuditLog {
    /// Starts the writer.
    pub(super) fn start(pool: PgPool) -> Self {
        let (queue, entries) = mpsc::channel(QUEUE);
        tokio::spawn(write_batches(pool.clone(), entries));
        Self { pool, queue }
    }

    /// Writes the row of a call that is about to commit changes; only then may it commit. False where the call belongs to a run
    /// that another host has taken over: whoever takes a run over waits for what was announced before, so nothing is done twice.
    pub(super) async fn announce(&self, record: &CallRecord) -> Result<bool, sqlx::Error> {
        let mut tx = host_tx::begin_as_host(&self.pool).await?;
        if let Some(hold) = &record.hold
            && !is_held(&mut tx, hold).await?
        {
            return Ok(false);
        }
        insert_into(&mut tx, &[record]).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Hands over the row of a call that ended.
    pub async fn finish(&self, record: CallRecord) {
        if self.queue.send(Entry::Row(Box::new(record))).await.is_err() {
            tracing::error!("the audit log's writer is gone");
        }
    }

    /// The same from a place that cannot wait, such as a drop. Where the queue is full a task waits instead.
    pub fn finish_later(&self, record: CallRecord) {
        if let Err(mpsc::error::TrySendError::Full(entry)) = self.queue.try_send(Entry::Row(Box::new(record))) {
            let queue = self.queue.clone();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { queue.send(entry).await.ok() });
            }
        }
    }

    /// Returns once everything handed over so far is written.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Entry::Flush(done)).await.is_ok() {
            wait.await.ok();
        }
    }
}

async fn write_batches(pool: PgPool, mut entries: mpsc::Receiver<Entry>) {
    let mut waiting = Vec::with_capacity(BATCH);
    while entries.recv_many(&mut waiting, BATCH).await > 0 {
        if waiting.len() < BATCH && !waiting.iter().any(|entry| matches!(entry, Entry::Flush(_))) {
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
                Entry::Flush(_) => None,
            })
            .collect();
        let mut pause = Duration::from_millis(100);
        // The rows are kept until they are written: a database that is away must not cost the log its entries.
        while let Err(error) = insert(&pool, &rows).await {
            if matches!(error, sqlx::Error::PoolClosed) {
                return;
            }
            if is_about_data(&error) {
                insert_singly(&pool, &rows).await;
                break;
            }
            tracing::error!(error = %error, rows = rows.len(), "cannot write the audit log; trying again");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(10));
        }
        for entry in waiting.drain(..) {
            if let Entry::Flush(done) = entry {
                done.send(()).ok();
            }
        }
    }
}

/// True where the rows themselves are what the server refuses (class 22 and 23): trying again would help nobody, and would
/// hold up every row behind them.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

/// Writes each row by itself, so that one that is refused does not cost the log the others.
async fn insert_singly(pool: &PgPool, rows: &[&CallRecord]) {
    for row in rows {
        if let Err(error) = insert(pool, &[row]).await {
            tracing::error!(error = %error, call.id = %row.call_id, outcome = %row.outcome, "a row of the audit log was refused and is lost");
        }
    }
}

async fn insert(pool: &PgPool, rows: &[&CallRecord]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut tx = host_tx::begin_as_host(pool).await?;
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
    .await
    .map(|_| ())
}
