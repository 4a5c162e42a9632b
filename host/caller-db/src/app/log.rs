//! The log of apps' requests: rows are gathered and written many at once, after the requests are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use behalf_host_db::{BATCH, HostDb};
use behalf_jobs::Jobs;
use behalf_problem::LogText as _;
use chrono::{Days, Utc};
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgBindIterExt as _};

use super::record::AppRecord;
use crate::audit::CallIdRange;
use crate::row_queue::{Batches, RowQueue, row_queue};

/// Rows that wait to be written. Beyond that, rows are lost and counted: apps' requests do not wait for their log.
const QUEUE: usize = 16_384;

/// How long the writer collects rows for one insert.
const GATHER: Duration = Duration::from_millis(250);

/// How often a batch is tried before its rows are given up.
const RETRY: ExponentialBuilder = ExponentialBuilder::new()
    .with_min_delay(Duration::from_millis(200))
    .with_max_delay(Duration::from_secs(5))
    .with_max_times(5);

const STORE: &str = "
    insert into ai.app_requests (request_id, started_at, actor, user_id, role, method, shape, rows, status, code,
        transaction_id, duration_us)
    select request_id, started_at, actor, user_id, role, method, shape, rows, status, code, transaction_id::xid8, duration_us
    from unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::bigint[],
            $9::integer[], $10::text[], $11::text[], $12::bigint[])
        as given (request_id, started_at, actor, user_id, role, method, shape, rows, status, code, transaction_id, duration_us)
    on conflict (request_id) do nothing";

/// The ids are in the order of time, so the primary key finds the rows.
const PRUNE: &str = "delete from ai.app_requests where request_id in (
    select request_id from ai.app_requests where request_id < $1 and started_at < $2 order by request_id limit $3)";

/// Sends rows to the writer of the log.
#[derive(Clone, Debug)]
pub struct AppLog {
    db: HostDb,
    queue: RowQueue<AppRecord>,
    lost: Arc<AtomicU64>,
}

impl AppLog {
    /// Starts the writer.
    pub(crate) fn start(db: HostDb, jobs: &Jobs) -> Self {
        let (queue, batches) = row_queue(QUEUE, GATHER);
        let log = Self { db: db.clone(), queue, lost: Arc::default() };
        let lost = Arc::clone(&log.lost);
        // The loop ends with `close`, not when the host begins to stop: requests may still end after that.
        jobs.spawn("app-log-writer", |_stop| write_batches(db, batches, lost));
        log
    }

    /// Queues a row.
    pub fn add(&self, record: AppRecord) {
        if self.queue.try_send(Box::new(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Deletes rows that are older than so many days.
    pub async fn prune(&self, days: u32) -> Result<(), sqlx::Error> {
        let Some(until) = Utc::now().checked_sub_days(Days::new(days.into())) else { return Ok(()) };
        let Some(first_kept) = CallIdRange::of(None, Some(until)).end else { return Ok(()) };
        self.db.in_batches(|| sqlx::query(PRUNE).bind(first_kept).bind(until).bind(BATCH)).await.map(drop)
    }

    /// Waits until all rows queued so far are written, but not for ever.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }

    /// Waits until all rows queued so far are written, and ends the writer.
    pub(crate) async fn close(&self) {
        self.queue.close().await;
    }
}

async fn write_batches(db: HostDb, mut batches: Batches<AppRecord>, lost: Arc<AtomicU64>) {
    while let Some(batch) = batches.next().await {
        write(&db, &batch.rows).await;
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            rows => tracing::error!(rows, "the log of apps' requests cannot keep up; rows are lost"),
        }
        batches.written(batch);
    }
}

async fn write(db: &HostDb, rows: &[Box<AppRecord>]) {
    if rows.is_empty() {
        return;
    }
    let stored = (|| store(db, rows)).retry(RETRY).when(|error| !matches!(error, sqlx::Error::PoolClosed)).await;
    if let Err(error) = stored {
        tracing::error!(error = error.log_text(), rows = rows.len(), "cannot write the log of apps' requests");
    }
}

async fn store(db: &HostDb, rows: &[Box<AppRecord>]) -> Result<(), sqlx::Error> {
    let encoded = encode(rows).map_err(sqlx::Error::Encode)?;
    let mut tx = db.begin_as_host().await?;
    sqlx::query_with(STORE, encoded).execute(&mut *tx).await?;
    tx.commit().await
}

/// One array for each column.
fn encode(rows: &[Box<AppRecord>]) -> Result<PgArguments, BoxDynError> {
    let mut to = PgArguments::default();
    to.add(rows.iter().map(|row| row.request_id).bind_iter())?;
    to.add(rows.iter().map(|row| row.started_at).bind_iter())?;
    to.add(rows.iter().map(|row| row.actor.as_str()).bind_iter())?;
    to.add(rows.iter().map(|row| row.user_id).bind_iter())?;
    to.add(rows.iter().map(|row| row.role).bind_iter())?;
    to.add(rows.iter().map(|row| row.method).bind_iter())?;
    to.add(rows.iter().map(|row| row.shape.as_str()).bind_iter())?;
    to.add(rows.iter().map(|row| row.rows).bind_iter())?;
    to.add(rows.iter().map(|row| row.status).bind_iter())?;
    to.add(rows.iter().map(|row| row.code.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.transaction_id.as_deref()).bind_iter())?;
    to.add(rows.iter().map(|row| row.duration_us).bind_iter())?;
    Ok(to)
}
