//! A queue of rows for a log, which one loop writes in batches.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// The most rows of one batch.
const BATCH: usize = 1024;

/// How long a reader waits for rows that are about to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// What the loop is asked for.
#[derive(Debug)]
enum Entry<T> {
    /// To write a row.
    Row(Box<T>),
    /// To answer when all rows before are written.
    Flush(oneshot::Sender<()>),
    /// The same, and to end.
    Close(oneshot::Sender<()>),
}

/// Where rows are left. Clones share the queue.
#[derive(Debug)]
pub(crate) struct RowQueue<T> {
    entries: mpsc::Sender<Entry<T>>,
}

impl<T> Clone for RowQueue<T> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

/// Where the loop takes them.
pub(crate) struct Batches<T> {
    entries: mpsc::Receiver<Entry<T>>,
    waiting: Vec<Entry<T>>,
    /// How long rows are collected for one batch.
    gather: Duration,
}

/// Rows that are written together, and who waits for them.
pub(crate) struct Batch<T> {
    pub(crate) rows: Vec<Box<T>>,
    asked: Vec<oneshot::Sender<()>>,
    is_last: bool,
}

/// Makes a queue with room for so many rows.
pub(crate) fn row_queue<T>(room: usize, gather: Duration) -> (RowQueue<T>, Batches<T>) {
    let (sender, entries) = mpsc::channel(room);
    (RowQueue { entries: sender }, Batches { entries, waiting: Vec::with_capacity(BATCH), gather })
}

impl<T> RowQueue<T> {
    /// Leaves a row, and waits where the queue is full. Returns false where nobody writes any more.
    pub(crate) async fn send(&self, row: Box<T>) -> bool {
        self.entries.send(Entry::Row(row)).await.is_ok()
    }

    /// Leaves a row where there is room; else it is given back.
    pub(crate) fn try_send(&self, row: Box<T>) -> Result<(), NoRoom<T>> {
        self.entries.try_send(Entry::Row(row)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(Entry::Row(row)) => NoRoom::Full(row),
            _ => NoRoom::Closed,
        })
    }

    /// Waits until all rows queued so far are written, but not for ever: a log that cannot be written must not keep its
    /// readers.
    pub(crate) async fn flush(&self) {
        tokio::time::timeout(FLUSH_PATIENCE, self.ask(Entry::Flush)).await.ok();
    }

    /// Waits until all rows queued so far are written, and ends the loop.
    pub(crate) async fn close(&self) {
        self.ask(Entry::Close).await;
    }

    async fn ask(&self, entry: impl FnOnce(oneshot::Sender<()>) -> Entry<T>) {
        let (done, wait) = oneshot::channel();
        if self.entries.send(entry(done)).await.is_ok() {
            wait.await.ok();
        }
    }
}

/// Why a row was not taken.
pub(crate) enum NoRoom<T> {
    /// The queue is full.
    Full(Box<T>),
    /// Nobody writes any more.
    Closed,
}

impl<T> Batches<T> {
    /// The next batch; none once the queue is closed and empty. While rows are collected nothing wakes the loop, so that a row
    /// costs whoever leaves it no more than the place in the queue.
    pub(crate) async fn next(&mut self) -> Option<Batch<T>> {
        if self.entries.recv_many(&mut self.waiting, BATCH).await == 0 {
            return None;
        }
        if self.waiting.len() < BATCH && self.waiting.iter().all(|entry| matches!(entry, Entry::Row(_))) {
            tokio::time::sleep(self.gather).await;
            while self.waiting.len() < BATCH {
                let Ok(entry) = self.entries.try_recv() else { break };
                self.waiting.push(entry);
            }
        }
        let mut batch = Batch { rows: Vec::with_capacity(self.waiting.len()), asked: Vec::new(), is_last: false };
        for entry in self.waiting.drain(..) {
            match entry {
                Entry::Row(row) => batch.rows.push(row),
                Entry::Flush(asked) => batch.asked.push(asked),
                Entry::Close(asked) => {
                    batch.is_last = true;
                    batch.asked.push(asked);
                }
            }
        }
        Some(batch)
    }

    /// Tells those who wait that the rows were written. After the last batch, rows that are still queued are written; no more
    /// are taken.
    pub(crate) fn written(&mut self, batch: Batch<T>) {
        if batch.is_last {
            self.entries.close();
        }
        for asked in batch.asked {
            asked.send(()).ok();
        }
    }
}
