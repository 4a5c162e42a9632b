//! The loop that writes the queued rows of the audit log.
//!
//! Rows are encoded on a thread for blocking work, so that the threads that serve requests only send what is ready. The
//! writer has no runtime of its own: a connection of the pool belongs to the runtime that opened it, so those that the
//! writer opened would end with the writer, while the host still needs them to stop.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use behalf_host_db::HostDb;
use behalf_problem::LogText as _;
use tokio::task::spawn_blocking;

use super::batch::RowBatch;
use super::record::CallRecord;
use crate::row_queue::Batches;

/// How long the writer collects rows for one insert.
pub(super) const GATHER: Duration = Duration::from_millis(50);

/// Waits between attempts to write. The writer never gives up: a database that cannot be reached must not cost the log
/// its rows.
const BACKOFF: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(100))
    .with_max_delay(Duration::from_secs(10))
    .without_max_times();

/// Rows that are written together.
type Rows = Arc<[Box<CallRecord>]>;

/// Writes rows until the log is closed.
pub(super) async fn write_batches(db: HostDb, mut batches: Batches<CallRecord>) {
    while let Some(mut batch) = batches.next().await {
        if write(&db, std::mem::take(&mut batch.rows).into()).await.is_err() {
            return;
        }
        batches.written(batch);
    }
}

/// The pool is closed, and nothing can be written any more.
struct PoolClosed;

/// Writes rows, however long it takes. Where some are refused, each is written by itself, so that a refused row does
/// not cost the log the others.
async fn write(db: &HostDb, rows: Rows) -> Result<(), PoolClosed> {
    if rows.is_empty() {
        return Ok(());
    }
    match insert_with_retries(db, &rows, 0..rows.len()).await {
        Ok(()) => {}
        Err(sqlx::Error::PoolClosed) => return Err(PoolClosed),
        Err(_) => insert_singly(db, &rows).await?,
    }
    // To free a thousand rows is work as well.
    spawn_blocking(move || drop(rows));
    Ok(())
}

async fn insert_singly(db: &HostDb, rows: &Rows) -> Result<(), PoolClosed> {
    for (index, row) in rows.iter().enumerate() {
        match insert_with_retries(db, rows, index..index + 1).await {
            Ok(()) => {}
            Err(sqlx::Error::PoolClosed) => return Err(PoolClosed),
            Err(error) => {
                tracing::error!(
                    error = error.log_text(),
                    call.id = %row.call_id,
                    outcome = %row.outcome,
                    "a row of the audit log was refused and is lost"
                );
            }
        }
    }
    Ok(())
}

/// Inserts these rows. An error is about the rows, or the pool is closed.
async fn insert_with_retries(db: &HostDb, rows: &Rows, these: Range<usize>) -> Result<(), sqlx::Error> {
    (|| insert(db, rows, these.clone()))
        .retry(BACKOFF)
        .when(|error| !matches!(error, sqlx::Error::PoolClosed) && !is_about_data(error))
        .notify(|error, _| {
            let rows = these.len();
            tracing::error!(error = error.log_text(), rows, "cannot write the audit log; trying again");
        })
        .await
}

async fn insert(db: &HostDb, rows: &Rows, these: Range<usize>) -> Result<(), sqlx::Error> {
    let rows = Arc::clone(rows);
    let encode = move || RowBatch::encode(&rows[these].iter().map(|row| &**row).collect::<Vec<_>>());
    let batch = spawn_blocking(encode).await.map_err(|_| sqlx::Error::WorkerCrashed)??;
    let mut tx = db.begin_as_host().await?;
    batch.store(&mut tx).await?;
    tx.commit().await
}

/// Whether the rows themselves are refused, by the server (SQLSTATE classes 21, 22, 23 and 54) or before they are sent.
/// Another attempt would fail as well, and hold up every row behind them.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let is_refused = code.is_some_and(|code| ["21", "22", "23", "54"].iter().any(|class| code.starts_with(class)));
    is_refused || matches!(error, sqlx::Error::Encode(_))
}
