//! The log as calls see it: where they announce commits and leave their rows.

use behalf_host_db::{Ended, HostDb};
use behalf_jobs::Jobs;

use super::batch::RowBatch;
use super::record::CallRecord;
use super::writer::{GATHER, write_batches};
use crate::call_texts;
use crate::row_queue::{NoRoom, RowQueue, row_queue};

/// Rows that wait to be written. When the queue is full, calls wait.
const QUEUE: usize = 4096;

/// Sends rows to the writer of the audit log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    db: HostDb,
    queue: RowQueue<CallRecord>,
}

impl AuditLog {
    /// Starts the writer.
    pub(crate) fn start(db: HostDb, jobs: &Jobs) -> Self {
        let (queue, batches) = row_queue(QUEUE, GATHER);
        let writer = write_batches(db.clone(), batches);
        // The loop ends with `close`, not when the host begins to stop: calls may still end after that.
        jobs.spawn("audit-writer", |_stop| writer);
        Self { db, queue }
    }

    /// Stores the row of a call that is about to commit changes; only after that may the call commit. Returns false if
    /// the call's commit guard forbids the commit. A host that takes a run over waits for the commits announced before,
    /// so that no write is done twice.
    pub(crate) async fn announce(&self, record: &CallRecord) -> Result<bool, sqlx::Error> {
        let row = RowBatch::encode(&[record])?;
        let mut tx = self.db.begin_as_host().await?;
        if let Some(guard) = &record.commit_guard
            && !guard.may_commit(&mut tx).await?
        {
            return Ok(false);
        }
        row.store(&mut tx).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// How a transaction ended whose commit got no answer. It waits for the server, but not for ever.
    pub(crate) async fn how_ended(&self, number: &str) -> Ended {
        self.db.how_ended(number).await
    }

    /// Queues the row of a call that ended.
    pub async fn finish(&self, record: CallRecord) {
        if !self.queue.send(Box::new(record)).await {
            tracing::error!("the audit log's writer is gone");
        }
    }

    /// Queues a row from code that cannot wait, such as a drop. If the queue is full, a task waits instead.
    pub fn finish_later(&self, record: CallRecord) {
        if let Err(NoRoom::Full(row)) = self.queue.try_send(Box::new(record)) {
            let queue = self.queue.clone();
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                runtime.spawn(async move { queue.send(row).await });
            }
        }
    }

    /// Deletes texts of calls that are older than so many days; their audit rows stay.
    pub async fn prune_texts(&self, days: u32) -> Result<(), sqlx::Error> {
        call_texts::prune(&self.db, days).await
    }

    /// Waits until all rows queued so far are written, but not for ever: a log that cannot be written must not keep its
    /// readers.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }

    /// Waits until all rows queued so far are written, and ends the writer.
    pub(crate) async fn close(&self) {
        self.queue.close().await;
    }
}
