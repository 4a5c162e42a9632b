//! Reads what is new, once: messages of other hosts, and messages that were stored.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::HostTx;
use behalf_jobs::{Jobs, Stop};
use behalf_problem::LogText as _;
use futures::TryStreamExt as _;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::outbox::{self, Published};
use super::{Bus, frame, store};
use crate::rooms::Rooms;

/// How often it is looked where no notification came.
const POLL: Duration = Duration::from_secs(1);

/// From one look to the next at least: any role may send the notification.
const PACE: Duration = Duration::from_millis(5);

/// Until the next try after one that failed.
const RETRY: Duration = Duration::from_millis(200);

/// How long a look may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Rows of others are kept for a minute, and stored messages for ten. Who was away longer may have missed some.
const ROWS_KEPT: Duration = Duration::from_secs(55);
const MESSAGES_KEPT: Duration = Duration::from_mins(9);

/// How far back it is looked after a crash. A host notices one within seconds.
const LATE: Duration = Duration::from_mins(1);

/// Hosts whose last batch is remembered, before those that said nothing for long are forgotten.
const REMEMBERED: usize = 64;

/// Starts it. `begun` is told when nothing that comes later can be missed any more.
pub(super) fn start(bus: &Arc<Bus>, rooms: Arc<Rooms>, begun: oneshot::Sender<()>, jobs: &Jobs) {
    let (bus, registrations) = (Arc::clone(bus), bus.hosts.registrations());
    jobs.spawn("realtime reader", |stop| async move {
        let reader = Reader {
            bus,
            rooms,
            begun: Some(begun),
            after: None,
            started: Instant::now(),
            read_at: Instant::now(),
            rows: HashSet::new(),
            published: Published::default(),
            batches: HashMap::new(),
            registrations,
            registered: 0,
        };
        reader.run(&stop).await;
    });
}

struct Reader {
    bus: Arc<Bus>,
    rooms: Arc<Rooms>,
    begun: Option<oneshot::Sender<()>>,
    /// When the first look was.
    started: Instant,
    /// The snapshot of the last look that succeeded, and when it was taken.
    after: Option<String>,
    read_at: Instant,
    /// What was handed out since, in looks that failed later on.
    rows: HashSet<i64>,
    published: Published,
    /// The last batch of each host, and when it came.
    batches: HashMap<Uuid, (u64, Instant)>,
    /// How often this host has registered. More than once means that the server may have crashed.
    registrations: watch::Receiver<u64>,
    registered: u64,
}

impl Reader {
    async fn run(mut self, stop: &Stop) {
        let mut has_failed = false;
        while !stop.is_requested() {
            let begun = Instant::now();
            let looked = tokio::select! {
                () = stop.requested() => return,
                looked = timeout(LIMIT, self.look()) => looked.unwrap_or(Err(sqlx::Error::PoolTimedOut)),
            };
            if let Err(error) = &looked
                && !has_failed
            {
                tracing::warn!(error = error.log_text(), "cannot read messages of other hosts; trying again");
            }
            has_failed = looked.is_err();
            let pause = if has_failed { RETRY } else { POLL };
            tokio::select! {
                () = stop.requested() => return,
                () = sleep_until(begun + pause) => {}
                () = self.bus.rows.notified(), if !has_failed => sleep_until(begun + PACE).await,
            }
        }
    }

    /// Reads what is new.
    async fn look(&mut self) -> Result<(), sqlx::Error> {
        let at = Instant::now();
        let registrations = *self.registrations.borrow();
        let has_crashed = registrations > 1 && registrations != self.registered;
        let (mut tx, now) = store::begin(&self.bus.db).await?;
        if let Some(after) = self.after.clone() {
            self.read(&mut tx, &after).await?;
            if has_crashed {
                self.read_late(&mut tx).await?;
            }
        }
        self.bus.at_snapshot(&mut tx).await?;
        (self.after, self.read_at, self.registered) = (Some(now), at, registrations);
        self.rows.clear();
        if let Some(begun) = self.begun.take() {
            self.started = at;
            let _ = begun.send(());
        }
        tx.rollback().await
    }

    async fn read(&mut self, tx: &mut HostTx, after: &str) -> Result<(), sqlx::Error> {
        let away = self.read_at.elapsed();
        if away > ROWS_KEPT {
            let seconds = away.as_secs();
            tracing::warn!(seconds, "this host was away for long; messages of other hosts may be lost");
        }
        if away > MESSAGES_KEPT {
            let seconds = away.as_secs();
            tracing::warn!(seconds, "this host was away for long; stored messages may not have been published here");
        }
        let host = self.bus.hosts.id();
        let mut new = store::new_rows(tx, after, host);
        while let Some(row) = new.try_next().await? {
            if self.rows.insert(row.seq) {
                self.hand_out(row);
            }
        }
        drop(new);
        let new = store::new_messages(tx, after).await?;
        outbox::publish_new(tx, &self.rooms, new, &mut self.published).await
    }

    /// Reads what snapshots from before a crash would not show. Presences are read from their table then, so their changes are left
    /// out: told again they would look as if somebody came and went.
    async fn read_late(&mut self, tx: &mut HostTx) -> Result<(), sqlx::Error> {
        // What was there before this host read anything is not for its channels.
        let time = LATE.min(self.started.elapsed());
        let mut late = store::late_rows(tx, time, self.bus.hosts.id());
        while let Some(row) = late.try_next().await? {
            if frame::number(&row.body) != Some(0) {
                self.hand_out(row);
            }
        }
        drop(late);
        let late = store::late_messages(tx, time).await?;
        outbox::publish_new(tx, &self.rooms, late, &mut self.published).await
    }

    fn hand_out(&mut self, row: store::Row) {
        let Some(batch) = frame::read_batch(row.body) else {
            self.bus.unreadable(1);
            return;
        };
        if self.is_repeated(row.host, batch.number) {
            return;
        }
        if batch.unknown > 0 {
            self.bus.unreadable(batch.unknown);
        }
        for (kind, body) in batch.frames {
            self.bus.hand_out(kind, body, &self.rooms);
        }
    }

    /// Whether this host has had the batch.
    fn is_repeated(&mut self, host: Uuid, number: u64) -> bool {
        if number == 0 {
            return false;
        }
        if self.batches.len() >= REMEMBERED {
            self.batches.retain(|_, (_, at)| at.elapsed() < MESSAGES_KEPT);
        }
        let now = Instant::now();
        let last = self.batches.entry(host).or_insert((0, now));
        let is_repeated = number <= last.0;
        if !is_repeated {
            *last = (number, now);
        }
        is_repeated
    }
}
