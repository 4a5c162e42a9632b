//! Table `ai.chunks`: pieces of documents. The host has no right to read it. A chunk is read as a tool would read it: on
//! the caller's own login, behind the gate, with the caller's claims, so the app's policies decide and an audit row says so.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::audit::{Blame, CallRecord};
use super::catalog::DatabaseGrant;
use super::guest::{GuestDb, RowSet, StatementError, StatementLimits};
use super::value::Value;
use super::{Db, guest};
use crate::identity::Principal;

/// Chunks of one request.
const MAX_CHUNKS: u32 = 1_000;
/// Their bytes together; a model's whole context has fewer.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// The name in the audit log, beside those of tools.
const AUDIT_NAME: &str = "context_items";

const BY_ID: &str = "select c.id, c.source_id, c.text, c.meta from ai.chunks c where c.id = any ($1::uuid[])";

/// A piece of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct ChunkRow {
    /// Its id.
    pub id: Uuid,
    /// The document.
    pub source_id: Option<Uuid>,
    /// Its text.
    pub text: String,
    /// What is known of it.
    pub meta: serde_json::Value,
}

/// For whom chunks are read, for the audit log.
#[derive(Clone, Debug, Default)]
pub struct ChunkReader {
    /// The agent whose run they are for.
    pub agent_id: Option<Uuid>,
    /// The HTTP request.
    pub request_id: Option<String>,
}

/// What the host itself asks for in a caller's name: to read this one table.
pub(super) fn grant() -> Arc<DatabaseGrant> {
    Arc::new(DatabaseGrant::new(false, vec!["ai".to_owned()], vec![("ai".to_owned(), "chunks".to_owned())]))
}

impl Db {
    /// Those of these chunks that the caller can read, in no order. One that is not there and one that the caller must not
    /// see are the same.
    pub async fn chunks(
        &self,
        principal: &Arc<Principal>,
        ids: &[Uuid],
        reader: ChunkReader,
    ) -> Result<Vec<ChunkRow>, StatementError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let given = guest::array_literal(&ids.iter().map(Uuid::to_string).collect::<Vec<_>>());
        let mut record = CallRecord::begin(principal, AUDIT_NAME, Sha256::digest(given.as_bytes()).into());
        (record.agent_id, record.request_id) = (reader.agent_id, reader.request_id);
        let record = Arc::new(Mutex::new(record));
        let limits = StatementLimits {
            max_rows: MAX_CHUNKS,
            max_bytes: MAX_BYTES,
            max_statements: 1,
            max_idle: Duration::from_secs(1),
        };
        let started = Instant::now();
        let mut database = self.guest(Arc::clone(principal), Arc::clone(&self.chunks), limits, Arc::clone(&record));
        let found = read(&mut database, given).await;
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner).clone();
        record.duration_us = i64::try_from(started.elapsed().as_micros()).ok();
        (record.outcome, record.blame) = match &found {
            Ok(_) => ("ok".to_owned(), None),
            Err(error) => (error.code.to_owned(), Some(Blame::Host)),
        };
        self.audit().finish(record).await;
        match found {
            // An app that lets its users read no chunks at all: for them there are none.
            Err(error) if error.code == "forbidden" => Ok(Vec::new()),
            other => Ok(other?.rows.into_iter().filter_map(read_chunk).collect()),
        }
    }
}

async fn read(database: &mut GuestDb, ids: String) -> Result<RowSet, StatementError> {
    let found = database.query(BY_ID, &[Value::Text(ids)]).await;
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
