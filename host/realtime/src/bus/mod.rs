//! What hosts tell each other, and what the database tells all of them.
//!
//! A host writes what its clients send in batches to an unlogged table and wakes the others by a notification without content: any
//! role may listen to those, and only the host may read the table. Where no other host lives, nothing is written. Each host reads
//! what is new exactly once and in order, by snapshots (`store`): messages of others, and those that SQL stored in
//! `realtime.messages`. Nothing here decides who may receive what: that is done before, at the channel.

mod frame;
mod listener;
mod outbox;
mod reader;
mod store;
mod writer;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use behalf_host_db::{HostDb, HostTx};
use behalf_jobs::Jobs;
use behalf_queue::Workers;
use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::sync::{Notify, oneshot};

use crate::event::Broadcast;
use crate::hosts::Hosts;
use crate::rooms::Rooms;

pub(crate) use frame::{BusKind, Fields, batch, put};
pub(crate) use store::add;
pub(crate) use writer::BusFull;

use writer::Outgoing;

/// The kind of the work that deletes what was read.
const PRUNE: &str = "prune-realtime";

/// How often it is deleted.
const PRUNE_PERIOD: Duration = Duration::from_secs(30);

type Handler = Arc<dyn Fn(Bytes) + Send + Sync>;

/// Something that reads tables as they were when exactly the messages that were handed out so far had been committed.
pub(crate) trait AtSnapshot: Send + Sync {
    /// Reads what it wants to know.
    fn look<'a>(&'a self, tx: &'a mut HostTx) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// The bus.
pub(crate) struct Bus {
    db: HostDb,
    hosts: Arc<Hosts>,
    outgoing: Outgoing,
    handlers: RwLock<HashMap<BusKind, Handler>>,
    at_snapshot: OnceLock<Weak<dyn AtSnapshot>>,
    rows: Arc<Notify>,
    unreadable: AtomicU64,
}

impl Bus {
    /// Registers this host, and starts to read and write until the host stops. Stored messages and those of other hosts are
    /// published to `rooms`.
    pub(crate) fn start(db: HostDb, rooms: Arc<Rooms>, jobs: &Jobs) -> Arc<Self> {
        let (hosts, rows) = (Arc::new(Hosts::new()), Arc::new(Notify::new()));
        let bus = Arc::new(Self {
            db: db.clone(),
            hosts: Arc::clone(&hosts),
            outgoing: Outgoing::start(db.clone(), Arc::clone(&hosts), jobs),
            handlers: RwLock::default(),
            at_snapshot: OnceLock::new(),
            rows: Arc::clone(&rows),
            unreadable: AtomicU64::new(0),
        });
        let (begun, has_begun) = oneshot::channel();
        reader::start(&bus, rooms, begun, jobs);
        hosts.run(db.clone(), has_begun, jobs);
        listener::start(db, hosts, rows, jobs);
        bus
    }

    /// The hosts, this one among them.
    pub(crate) fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    /// Waits until a channel that joins now misses nothing that is sent at other hosts. Every join waits for it; it returns at once but
    /// for the first moment of a host.
    pub(crate) async fn ready(&self) {
        self.hosts.known().await;
    }

    /// Passes a broadcast on to the other hosts. It returns when it is taken: in order of the calls of one caller.
    pub(crate) async fn send(&self, broadcast: Broadcast) -> Result<(), BusFull> {
        if !self.hosts.has_others() {
            return Ok(());
        }
        self.outgoing.put(BusKind::Broadcast, frame::broadcast(&broadcast)).await
    }

    /// The same for something else, which the handlers of its kind get at the other hosts.
    pub(crate) async fn send_other(&self, kind: BusKind, body: Bytes) -> Result<(), BusFull> {
        if !self.hosts.has_others() {
            return Ok(());
        }
        self.outgoing.put(kind, body).await
    }

    /// Calls this with each body of the kind that another host sent, in order. It must not wait. Broadcasts are published without.
    pub(crate) fn on(&self, kind: BusKind, handler: impl Fn(Bytes) + Send + Sync + 'static) {
        self.handlers.write().unwrap_or_else(PoisonError::into_inner).insert(kind, Arc::new(handler));
    }

    /// Asks this at each look, once all messages before it were handed out. Once only.
    pub(crate) fn on_snapshot(&self, look: Weak<dyn AtSnapshot>) {
        let _ = self.at_snapshot.set(look);
    }

    /// Looks for something new now.
    pub(crate) fn look(&self) {
        self.rows.notify_one();
    }

    /// Adds the bus's part of the host's own work: deleting what was read.
    pub(crate) fn work(&self, workers: &mut Workers) {
        let db = self.db.clone();
        workers.every(PRUNE, PRUNE_PERIOD, move || {
            let db = db.clone();
            async move { store::prune(&db).await }
        });
    }

    /// How many rows and messages of other hosts this host could not read.
    pub(crate) fn unread(&self) -> u64 {
        self.unreadable.load(Ordering::Relaxed)
    }

    async fn at_snapshot(&self, tx: &mut HostTx) -> Result<(), sqlx::Error> {
        match self.at_snapshot.get().and_then(Weak::upgrade) {
            Some(look) => look.look(tx).await,
            None => Ok(()),
        }
    }

    fn hand_out(&self, kind: BusKind, body: Bytes, rooms: &Rooms) {
        if kind == BusKind::Broadcast {
            match frame::read_broadcast(body) {
                Some(broadcast) => rooms.publish(&broadcast, None),
                None => self.unreadable(1),
            }
            return;
        }
        let handler = self.handlers.read().unwrap_or_else(PoisonError::into_inner).get(&kind).map(Arc::clone);
        if let Some(handler) = handler {
            handler(body);
        }
    }

    /// Counts what cannot be read.
    pub(crate) fn unreadable(&self, count: usize) {
        let before = self.unreadable.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
        // Once is enough to see that hosts of two versions run.
        if before == 0 {
            tracing::warn!(count, "messages of another host have a form that this one does not know; they are skipped");
        }
    }
}

impl std::fmt::Debug for Bus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bus").field("hosts", &self.hosts).field("unread", &self.unread()).finish_non_exhaustive()
    }
}
