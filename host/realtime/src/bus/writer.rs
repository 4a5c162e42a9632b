//! Writes for the other hosts what waits, in batches: the more there is, the more goes into one transaction.

use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::{self, BusKind, OVERHEAD};
use super::store;
use crate::hosts::Hosts;

/// Bytes that wait at most: some seconds of what a database takes, or what is kept while it is away.
const WAITING: usize = 16 * 1024 * 1024;

/// What a message takes beside its bytes.
const OF_MESSAGE: usize = 64;

/// How long a sender waits for room. It reads nothing more of its client meanwhile.
const PATIENCE: Duration = Duration::from_millis(500);

/// Bytes of a batch; one message may be larger.
const FULL: usize = 256 * 1024;

/// From one batch to the next, unless it was full. The first after a pause goes at once.
const PACE: Duration = Duration::from_millis(5);

/// Until a batch is tried again, at first and at most.
const RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(1);

/// How long a batch may take. One that hangs is tried again; who has read it already passes over the second.
const LIMIT: Duration = Duration::from_secs(10);

/// How long a host that stops tries to write the rest.
const GRACE: Duration = Duration::from_secs(2);

/// The database does not take messages as fast as they come, or not at all.
#[derive(Debug, Error)]
#[error("too many messages wait to be passed on to other hosts; send it again in a moment")]
pub(crate) struct BusFull;

struct Waiting {
    kind: BusKind,
    body: Bytes,
    /// Given back when the message is written.
    _room: OwnedSemaphorePermit,
}

/// What waits to be written.
pub(super) struct Outgoing {
    room: Arc<Semaphore>,
    waiting: mpsc::UnboundedSender<Waiting>,
}

impl Outgoing {
    /// Starts to write.
    pub(super) fn start(db: HostDb, hosts: Arc<Hosts>, jobs: &Jobs) -> Self {
        let (waiting, queue) = mpsc::unbounded_channel();
        jobs.spawn("realtime writer", |stop| async move {
            Writer { db, hosts, queue, number: 0, next: Instant::now() }.run(&stop).await;
        });
        Self { room: Arc::new(Semaphore::new(WAITING)), waiting }
    }

    /// Takes a message. What one caller gives, one after another, is written in that order.
    pub(super) async fn put(&self, kind: BusKind, body: Bytes) -> Result<(), BusFull> {
        let size = body.len() + OF_MESSAGE;
        if size > WAITING {
            return Err(BusFull);
        }
        let size = u32::try_from(size).map_err(|_| BusFull)?;
        let room = timeout(PATIENCE, Arc::clone(&self.room).acquire_many_owned(size)).await;
        let room = room.map_err(|_| BusFull)?.map_err(|_| BusFull)?;
        self.waiting.send(Waiting { kind, body, _room: room }).map_err(|_| BusFull)
    }
}

struct Writer {
    db: HostDb,
    hosts: Arc<Hosts>,
    queue: mpsc::UnboundedReceiver<Waiting>,
    /// Of the last batch. Readers pass over a number that they have had: a batch is written again where it is not known whether it
    /// was the first time.
    number: u64,
    next: Instant,
}

impl Writer {
    async fn run(mut self, stop: &Stop) {
        loop {
            let first = tokio::select! {
                () = stop.requested() => break,
                first = self.queue.recv() => first,
            };
            let Some(first) = first else { return };
            tokio::select! {
                () = stop.requested() => {}
                () = sleep_until(self.next) => {}
            }
            let begun = Instant::now();
            let (batch, is_full) = self.gather(first);
            self.number += 1;
            if is_full {
                self.next = begun;
            } else {
                self.next = begun + PACE;
            }
            self.insist(&batch, stop).await;
        }
        self.queue.close();
        let Ok(first) = self.queue.try_recv() else { return };
        let mut batch = vec![first];
        while let Ok(next) = self.queue.try_recv() {
            batch.push(next);
        }
        self.number += 1;
        if !matches!(timeout(GRACE, self.write(&batch)).await, Ok(Ok(()))) {
            tracing::warn!(messages = batch.len(), "messages to other hosts were lost when this host stopped");
        }
    }

    /// What waits, as much as goes into one batch, and whether that is all of a batch.
    fn gather(&mut self, first: Waiting) -> (Vec<Waiting>, bool) {
        let mut size = first.body.len();
        let mut batch = vec![first];
        while size < FULL {
            let Ok(next) = self.queue.try_recv() else { return (batch, false) };
            size += next.body.len() + OVERHEAD;
            batch.push(next);
        }
        (batch, true)
    }

    /// Writes a batch, again and again until it is written, or tries once more where the host stops.
    async fn insist(&self, batch: &[Waiting], stop: &Stop) {
        let mut pause = RETRY;
        loop {
            let is_last = stop.is_requested();
            let limit = if is_last { GRACE } else { LIMIT };
            let error = match timeout(limit, self.write(batch)).await.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                Ok(()) => return,
                Err(error) => error,
            };
            if pause == RETRY {
                tracing::warn!(error = error.log_text(), "cannot pass messages on to other hosts; trying again");
            }
            if is_last {
                tracing::warn!(messages = batch.len(), "messages to other hosts were lost when this host stopped");
                return;
            }
            tokio::select! {
                () = stop.requested() => {}
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(LONGEST_RETRY);
        }
    }

    async fn write(&self, batch: &[Waiting]) -> Result<(), sqlx::Error> {
        let frames: Vec<_> = batch.iter().map(|waiting| (waiting.kind, waiting.body.clone())).collect();
        let row = frame::batch(self.number, &frames);
        let mut tx = self.db.begin_as_host().await?;
        store::add(&mut tx, self.hosts.id(), &row).await?;
        tx.commit().await?;
        metric::realtime_bus_batch(u64::try_from(batch.len()).unwrap_or(u64::MAX));
        Ok(())
    }
}
