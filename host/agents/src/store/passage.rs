//! Table `ai.chunks`: pieces of documents. The host has no right to read it. A chunk is read as a tool would read it: on
//! the login of the caller's role, behind the gate, with the caller's claims, so the project's policies decide and the audit
//! log gets a row.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use behalf_caller_db::{
    Blame, CallRecord, CallerDb, DatabaseGrant, GuestDb, RowSet, StatementError, StatementLimits, Value, array_literal,
};
use behalf_identity::{CallerKey, Principal};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Chunks of one request.
const MAX_CHUNKS: u32 = 1_000;
/// Bytes of the chunks of one request; a model's whole context has fewer.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The name in the audit log, beside those of tools.
const AUDIT_NAME: &str = "context_items";

const BY_ID: &str = "select c.id, c.source_id, c.text, c.meta from ai.chunks c where c.id = any ($1::uuid[])";
const OWN_BY_ID: &str = "select c.id, c.source_id, c.text, c.meta from ai.chunks c where c.id = any ($1::uuid[])
    and c.source_id in (select s.id from ai.sources s where s.owner_id = (select auth.uid()))";

/// A piece of a document.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChunkRow {
    /// Its id.
    pub(crate) id: Uuid,
    /// The document.
    pub(crate) source_id: Option<Uuid>,
    /// Its text.
    pub(crate) text: String,
    /// What else is known of it.
    pub(crate) meta: serde_json::Value,
}

/// What chunks are read for, as the audit log names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadFor {
    /// The agent whose run needs them.
    pub(crate) agent_id: Option<Uuid>,
    /// The HTTP request.
    pub(crate) request_id: Option<String>,
    /// Whether only sources count that the caller owns.
    pub(crate) own_sources_only: bool,
}

/// Reads chunks as a caller.
#[derive(Clone, Debug)]
pub(crate) struct PassageReader {
    db: CallerDb,
    /// Reading chunks.
    grant: Arc<DatabaseGrant>,
    /// Reading chunks and whose their sources are.
    grant_of_own: Arc<DatabaseGrant>,
}

impl PassageReader {
    /// The reader of this database.
    pub(crate) fn new(db: CallerDb) -> Self {
        let grant = |tables: &[&str]| {
            let tables = tables.iter().map(|table| ("ai".to_owned(), (*table).to_owned())).collect();
            Arc::new(DatabaseGrant::new(false, vec!["ai".to_owned()], tables))
        };
        Self { db, grant: grant(&["chunks"]), grant_of_own: grant(&["chunks", "sources"]) }
    }

    /// Those of these chunks that the caller can read, in no order. A chunk that does not exist and one that the caller must
    /// not see are the same.
    pub(crate) async fn read(
        &self,
        principal: &Arc<Principal>,
        ids: &[Uuid],
        purpose: ReadFor,
    ) -> Result<Vec<ChunkRow>, StatementError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = array_literal(&ids.iter().map(Uuid::to_string).collect::<Vec<_>>());
        let mut record = CallRecord::begin(principal, AUDIT_NAME, Sha256::digest(ids.as_bytes()).into());
        (record.agent_id, record.request_id) = (purpose.agent_id, purpose.request_id);
        let record = Arc::new(Mutex::new(record));
        let limits = StatementLimits {
            max_rows: MAX_CHUNKS,
            max_bytes: MAX_BYTES,
            max_statements: 1,
            max_idle: Duration::from_secs(1),
        };
        let (statement, grant) =
            if purpose.own_sources_only { (OWN_BY_ID, &self.grant_of_own) } else { (BY_ID, &self.grant) };
        let started = Instant::now();
        let mut database = self.db.guest(
            Arc::clone(principal),
            CallerKey::new(principal, None),
            Arc::clone(grant),
            limits,
            Arc::clone(&record),
        );
        let found = select(&mut database, statement, ids).await;
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        record.duration_us = i64::try_from(started.elapsed().as_micros()).ok();
        (record.outcome, record.blame) = match &found {
            Ok(_) => ("ok", None),
            Err(error) => (error.code, Some(Blame::Host)),
        };
        self.db.audit().finish(record).await;
        match found {
            // A project that lets its users read no chunks at all: for them there are none.
            Err(error) if error.code == "forbidden" => Ok(Vec::new()),
            other => Ok(other?.rows.into_iter().filter_map(read_chunk).collect()),
        }
    }
}

async fn select(database: &mut GuestDb, statement: &str, ids: String) -> Result<RowSet, StatementError> {
    let found = database.query(statement, &[Value::Text(ids)]).await;
    database.rollback().await;
    found
}

fn read_chunk(row: Vec<Value>) -> Option<ChunkRow> {
    let mut values = row.into_iter();
    let mut text = || match values.next() {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let (id, source_id, chunk, meta) = (text()?, text(), text()?, text());
    Some(ChunkRow {
        id: Uuid::try_parse(&id).ok()?,
        source_id: source_id.and_then(|id| Uuid::try_parse(&id).ok()),
        text: chunk,
        meta: meta.and_then(|meta| serde_json::from_str(&meta).ok()).unwrap_or_default(),
    })
}
