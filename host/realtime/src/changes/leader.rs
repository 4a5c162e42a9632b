//! The one host that reads the log, for all of them.
//!
//! It holds the lease while it reads. What it reads it hands to its own judge, and through the bus to the other hosts that have
//! subscribers of the table. The log is confirmed when this was done, and a little later where other hosts are concerned: a leader that
//! dies takes what it had not written yet with it, and the next one reads it again. Hosts pass over what they have seen by its position.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use behalf_host_db::ReadError;
use behalf_jobs::Stop;
use behalf_problem::LogText as _;
use behalf_replication::{Event, Reader, Relation, ReplicationError, Source};
use behalf_telemetry::metric;
use thiserror::Error;
use tokio::sync::mpsc::{Permit, Sender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};

use super::batch::{self, Batch, Origin, Row};
use super::seen::Seen;
use super::store::Store;
use super::subscribers::{EVERY_TABLE, Subscribers};
use crate::bus::{Bus, BusKind};

/// How often the lease is renewed and the server answered.
const TICK: Duration = Duration::from_secs(1);

/// How long the lease counts after it was renewed; `store` says the same to the database, with a second to spare.
const LEASE: Duration = Duration::from_secs(5);

/// How long a statement about the lease may take.
const ANSWER: Duration = Duration::from_secs(3);

/// How many ticks pass between two looks at how much the server keeps, and at whether anybody wants changes.
const LOOK_TICKS: u32 = 10;

/// How long nobody wants changes before the slot is dropped.
const IDLE: Duration = Duration::from_mins(5);

/// Rows and bytes of a batch at most; one row may be larger.
const MAX_ROWS: usize = 500;
const MAX_BYTES: usize = 512 * 1024;

/// When what was given to the bus counts as written.
const WRITTEN: Duration = Duration::from_secs(2);

/// How often a batch is offered to the bus, each time for half a second.
const OFFERS: u32 = 20;

/// How long it takes at first, and at most, until it is looked again whether sessions see a transaction.
const SHORT_PAUSE: Duration = Duration::from_millis(1);
const LONG_PAUSE: Duration = Duration::from_millis(100);

/// How often another reader of the slot is looked for, and how long in between.
const TRIES: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(100);

/// What subscribers hear when changes were lost.
const GONE: &str = "Changes were lost: the database's mark of what was read is gone. Read your tables again";
const THROWN_AWAY: &str =
    "Changes were lost: the database threw them away before they were read. Read your tables again";
const TOO_MUCH: &str = "Changes were lost: the database kept more of them than it may. Read your tables again";
const TOO_SLOW: &str = "Changes were lost: they could not be passed on as fast as they came. Read your tables again";

/// Why this host reads no more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The host stops.
    Stopping,
    /// Nobody has wanted changes for a while.
    Idle,
}

/// Why it cannot go on.
#[derive(Debug, Error)]
pub(super) enum LeadError {
    /// Another host reads, or may.
    #[error("this host lost the lease on reading changes")]
    Lease,
    /// More is kept for this host than the server may keep.
    #[error("the server keeps too much of its log for changes that were not read")]
    TooMuch,
    /// Other hosts could not be told.
    #[error("changes cannot be passed on to other hosts")]
    Bus,
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReplicationError),
    /// The lease cannot be kept.
    #[error("the database cannot be asked who reads changes")]
    Database(#[from] sqlx::Error),
    /// Nobody knows whether sessions see the changes.
    #[error("the database cannot be asked which transactions sessions see")]
    Snapshot(#[from] ReadError),
}

/// What a leader works with.
#[derive(Clone)]
pub(super) struct Leader {
    pub(super) source: Source,
    pub(super) store: Store,
    pub(super) bus: Arc<Bus>,
    pub(super) queue: Sender<Batch>,
    pub(super) seen: Arc<Seen>,
    pub(super) subscribers: Arc<Subscribers>,
    /// The most bytes that the server may keep; 0 is any number.
    pub(super) max_kept: u64,
}

/// What was read and not handed over, and what was handed over and not confirmed.
struct Flow {
    rows: Vec<Row>,
    bytes: usize,
    has_lost: bool,
    /// The transactions of the rows.
    xids: Vec<u32>,
    /// When sessions may see all of them. They did not when it was last looked.
    held: Option<Held>,
    relations: HashMap<u32, Arc<Relation>>,
    changed: BTreeSet<u32>,
    /// The end of the last transaction that was read as a whole.
    done: Option<u64>,
    handed: VecDeque<(Instant, u64)>,
    is_new_log: bool,
    renewed: Instant,
    ticks: u32,
    idle_since: Option<Instant>,
}

/// Rows that wait until sessions see their transactions.
#[derive(Clone, Copy, Debug)]
struct Held {
    pause: Duration,
    until: Instant,
}

impl Leader {
    /// Reads until the host stops, nobody wants changes, or it cannot go on. The lease is taken. `had_slot` says that there was a slot;
    /// `started` is called when there is one.
    pub(super) async fn lead(&self, had_slot: bool, stop: &Stop, started: impl Fn()) -> Result<End, LeadError> {
        let prepared = self.keeping_lease(async {
            let mut reader = self.source.open().await?;
            let (lost, is_new_log) = self.prepare(&mut reader, had_slot).await?;
            reader.start().await?;
            Ok((reader, lost, is_new_log))
        });
        let (mut reader, lost, is_new_log) = tokio::select! {
            prepared = prepared => prepared?,
            () = stop.requested() => return Ok(End::Stopping),
        };
        if is_new_log {
            self.seen.forget();
        }
        if !self.store.started(reader.slot(), lost).await? {
            return Err(LeadError::Lease);
        }
        started();
        let result = self.read(&mut reader, Flow::new(is_new_log), stop).await;
        reader.close().await;
        result
    }

    /// Does this while the lease is renewed.
    async fn keeping_lease<T>(&self, work: impl Future<Output = Result<T, LeadError>>) -> Result<T, LeadError> {
        let mut work = std::pin::pin!(work);
        let (mut ticks, mut renewed) = (interval(TICK), Instant::now());
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = ticks.tick() => self.renew(&mut renewed).await?,
            }
        }
    }

    async fn renew(&self, renewed: &mut Instant) -> Result<(), LeadError> {
        let at = Instant::now();
        match timeout(ANSWER, self.store.renew()).await {
            Ok(Ok(true)) => *renewed = at,
            // The database may be back before the lease ends.
            Ok(Err(_)) | Err(_) if renewed.elapsed() < LEASE => {}
            Ok(Err(error)) => return Err(error.into()),
            Ok(Ok(false)) | Err(_) => return Err(LeadError::Lease),
        }
        Ok(())
    }

    /// Makes the slot usable. Returns why changes were lost, if they were, and whether the slot is new.
    async fn prepare(&self, reader: &mut Reader, had_slot: bool) -> Result<(Option<&'static str>, bool), LeadError> {
        let (mut lost, mut is_new) = (None, false);
        for _ in 0..TRIES {
            let Some(state) = reader.state().await? else {
                if had_slot {
                    lost = lost.or(Some(GONE));
                }
                reader.make_slot().await?;
                is_new = true;
                continue;
            };
            let is_too_much = self.max_kept > 0 && state.kept > self.max_kept && !is_new;
            if state.is_read {
                // The session of a host that has no lease any more. It ends with its host; where that one fell silent, the server ends it
                // (`wal_sender_timeout`).
                sleep(BETWEEN).await;
            } else if state.is_lost || is_too_much {
                lost = Some(if state.is_lost { THROWN_AWAY } else { TOO_MUCH });
                reader.drop_slot().await?;
            } else {
                return Ok((lost, is_new));
            }
        }
        Err(LeadError::Lease)
    }

    async fn read(&self, reader: &mut Reader, mut flow: Flow, stop: &Stop) -> Result<End, LeadError> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(End::Stopping),
                _ = ticks.tick() => {
                    if self.tick(reader, &mut flow).await? {
                        return Ok(End::Idle);
                    }
                }
                // What is there is read before it is handed over: the more there is, the more is judged together.
                event = reader.next(), if !flow.is_full() => flow.take(event?),
                permit = self.queue.reserve(), if flow.is_waiting() && flow.waits_until().is_none() => {
                    let Ok(permit) = permit else { return Ok(End::Stopping) };
                    if self.is_seen(&mut flow).await? {
                        self.hand_over(permit, &mut flow).await?;
                    }
                }
                () = sleep_until(flow.waits_until().unwrap_or_else(Instant::now)), if flow.waits_until().is_some() => {}
            }
            if reader.is_asked() {
                self.confirm(reader, &mut flow);
                reader.answer().await?;
            }
        }
    }

    /// What is done every second. True where nobody has wanted changes for a while.
    async fn tick(&self, reader: &mut Reader, flow: &mut Flow) -> Result<bool, LeadError> {
        self.renew(&mut flow.renewed).await?;
        self.confirm(reader, flow);
        reader.answer().await?;
        flow.ticks = flow.ticks.wrapping_add(1);
        if !flow.ticks.is_multiple_of(LOOK_TICKS) {
            return Ok(false);
        }
        let kept = self.store.kept(reader.slot()).await?;
        metric::realtime_changes_lag_bytes(kept);
        if self.max_kept > 0 && kept > self.max_kept {
            return Err(LeadError::TooMuch);
        }
        if !self.subscribers.is_empty() || !self.store.wanted_by_others().await?.is_empty() {
            flow.idle_since = None;
            return Ok(false);
        }
        Ok(flow.idle_since.get_or_insert_with(Instant::now).elapsed() > IDLE)
    }

    /// Whether sessions see what was read. If not, it waits for a moment.
    async fn is_seen(&self, flow: &mut Flow) -> Result<bool, LeadError> {
        let snapshot = self.store.snapshot().await?;
        let is_seen = snapshot.is_some_and(|snapshot| flow.xids.iter().all(|xid| snapshot.has(*xid)));
        flow.held = (!is_seen).then(|| {
            let pause = flow.held.map_or(SHORT_PAUSE, |held| (held.pause * 2).min(LONG_PAUSE));
            Held { pause, until: Instant::now() + pause }
        });
        Ok(is_seen)
    }

    /// Hands over what was read.
    async fn hand_over(&self, permit: Permit<'_, Batch>, flow: &mut Flow) -> Result<(), LeadError> {
        let mut batch = flow.batch();
        metric::realtime_change(batch.rows.len() as u64);
        if self.bus.hosts().has_others() {
            let wanted = self.store.wanted_by_others().await?;
            let origin = Origin { leader: self.store.host(), is_new_log: flow.is_new_log };
            let is_wanted = |oid| wanted.contains(&oid) || wanted.contains(&EVERY_TABLE);
            if !wanted.is_empty()
                && let Some(body) = batch::write(&batch, origin, is_wanted)
            {
                self.pass_on(body, flow).await?;
            }
        }
        self.seen.retain(&mut batch, None);
        if self.subscribers.is_empty() {
            drop(permit);
        } else {
            permit.send(batch);
        }
        flow.handed(Instant::now());
        Ok(())
    }

    /// Gives a batch to the bus, and keeps the lease where that takes long.
    async fn pass_on(&self, body: bytes::Bytes, flow: &mut Flow) -> Result<(), LeadError> {
        for _ in 0..OFFERS {
            if self.bus.send_other(BusKind::Changes, body.clone()).await.is_ok() {
                return Ok(());
            }
            self.renew(&mut flow.renewed).await?;
        }
        // What cannot be passed on is not confirmed, and is read again.
        Err(LeadError::Bus)
    }

    fn confirm(&self, reader: &mut Reader, flow: &mut Flow) {
        let age = if self.bus.hosts().has_others() { WRITTEN } else { Duration::ZERO };
        while let Some((at, point)) = flow.handed.front().copied()
            && at.elapsed() >= age
        {
            flow.handed.pop_front();
            reader.confirm(point);
        }
    }

    /// Drops the slot behind the stream, and says so.
    pub(super) async fn drop_slot(&self) -> Result<(), LeadError> {
        let mut reader = self.source.open().await?;
        for _ in 0..TRIES {
            match reader.state().await? {
                None => break,
                Some(state) if state.is_read => sleep(BETWEEN).await,
                Some(_) => reader.drop_slot().await?,
            }
        }
        reader.close().await;
        Ok(())
    }

    /// Remakes the slot, because what it marks cannot be read in time, and says why changes are lost.
    pub(super) async fn give_up(&self, error: &LeadError) {
        let reason = if matches!(error, LeadError::Bus) { TOO_SLOW } else { TOO_MUCH };
        let done = async {
            self.drop_slot().await?;
            let mut reader = self.source.open().await?;
            reader.make_slot().await?;
            self.store.started(reader.slot(), Some(reason)).await?;
            reader.close().await;
            Ok::<_, LeadError>(())
        };
        if let Err(error) = self.keeping_lease(done).await {
            tracing::warn!(error = error.log_text(), "cannot begin anew to read changes; trying again");
        }
    }
}

impl Flow {
    fn new(is_new_log: bool) -> Self {
        Self {
            rows: Vec::new(),
            bytes: 0,
            has_lost: false,
            xids: Vec::new(),
            held: None,
            relations: HashMap::new(),
            changed: BTreeSet::new(),
            done: None,
            handed: VecDeque::new(),
            is_new_log,
            renewed: Instant::now(),
            ticks: 0,
            idle_since: None,
        }
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// When to look again whether sessions see the rows; none where that time has come.
    fn waits_until(&self) -> Option<Instant> {
        self.held.map(|held| held.until).filter(|until| *until > Instant::now())
    }

    fn is_waiting(&self) -> bool {
        !self.rows.is_empty() || self.has_lost
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Change(change) => {
                let change = change.to_be_judged();
                if self.xids.last() != Some(&change.xid) {
                    self.xids.push(change.xid);
                }
                let row = Row::of(change);
                let oid = row.relation.oid;
                // The server describes a table again when something about it changed.
                let is_known = self.relations.get(&oid).is_some_and(|known| Arc::ptr_eq(known, &row.relation));
                if !is_known {
                    self.relations.insert(oid, Arc::clone(&row.relation));
                    self.changed.insert(oid);
                }
                self.bytes += row.size();
                self.rows.push(row);
            }
            Event::TooLarge(_) => self.has_lost = true,
            Event::Committed(point) | Event::Idle(point) => {
                self.done = Some(point);
                if !self.is_waiting() {
                    self.handed(Instant::now());
                }
            }
        }
    }

    fn batch(&mut self) -> Batch {
        self.bytes = 0;
        self.xids.clear();
        let changed = std::mem::take(&mut self.changed).into_iter().collect();
        Batch { rows: std::mem::take(&mut self.rows), changed, has_lost: std::mem::take(&mut self.has_lost) }
    }

    /// Everything that was read is handed over.
    fn handed(&mut self, at: Instant) {
        let Some(point) = self.done.take() else { return };
        match self.handed.back_mut() {
            // A point soon after another one waits with it.
            Some((before, last)) if at.duration_since(*before) < TICK / 4 => *last = point,
            _ => self.handed.push_back((at, point)),
        }
    }
}
