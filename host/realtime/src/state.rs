//! What the routes and sockets need, and how the feature starts and stops.

use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRef;
use behalf_caller_db::CallerDb;
use behalf_fair_queue::{FairQueue, Work};
use behalf_host_db::HostDb;
use behalf_identity::CallerKey;
use behalf_jobs::{Jobs, Next};
use behalf_queue::Workers;
use behalf_web::Web;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::changes::Changes;
use crate::limits::Limits;
use crate::options::RealtimeOptions;
use crate::presence::Presence;
use crate::rooms::Rooms;
use crate::socket::Sockets;

/// How long sockets that were told to close may take to do so.
const CLOSING: Duration = Duration::from_secs(3);

/// What the feature is made of.
pub struct RealtimeParts {
    /// What all routes share.
    pub web: Web,
    /// The host's own transactions.
    pub db: HostDb,
    /// The database as callers see it.
    pub caller_db: CallerDb,
    /// The address of the database with a login that has REPLICATION; without one there are no changes of tables.
    pub replication_url: Option<String>,
    /// How it is bounded.
    pub options: RealtimeOptions,
}

/// The feature. Clones share it.
#[derive(Clone)]
pub struct Realtime(Arc<Shared>);

/// What is shared.
pub struct Shared {
    pub(crate) web: Web,
    pub(crate) caller_db: CallerDb,
    pub(crate) options: RealtimeOptions,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) changes: Arc<Changes>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) sockets: Sockets,
    /// Places for questions about rights.
    pub(crate) asking: FairQueue<CallerKey>,
    /// The tasks of sockets.
    pub(crate) tasks: TaskTracker,
}

impl Realtime {
    /// Starts it: this host reads and writes messages of other hosts until it stops.
    pub fn start(parts: RealtimeParts, jobs: &Jobs, workers: &mut Workers) -> Self {
        let RealtimeParts { web, db, caller_db, replication_url, options } = parts;
        let rooms = Arc::new(Rooms::new());
        let bus = Bus::start(db.clone(), Arc::clone(&rooms), jobs);
        bus.work(workers);
        let presence = Presence::start(db.clone(), Arc::clone(&rooms), &bus, jobs);
        let changes = Changes::start(db, caller_db.clone(), &bus, replication_url, &options, jobs);
        let realtime = Self(Arc::new(Shared {
            web,
            caller_db,
            options,
            rooms,
            bus,
            presence,
            changes,
            limits: Limits::new(options),
            sockets: Sockets::new(),
            asking: FairQueue::new(options.rights_at_once, Work::Short),
            tasks: TaskTracker::new(),
        }));
        let looked_at = realtime.clone();
        jobs.every("realtime-sockets", Sockets::PERIOD, move || {
            looked_at.sockets.look(&looked_at.options);
            looked_at.limits.forget_idle();
            std::future::ready(Ok::<_, Infallible>(Next::Continue))
        });
        realtime
    }

    /// Closes all sockets, one part of them after the other `within` this time, and waits until they are closed. Takes no more.
    pub async fn close(&self, within: Duration) {
        self.sockets.close(within).await;
        self.tasks.close();
        let _ = tokio::time::timeout(CLOSING, self.tasks.wait()).await;
    }
}

impl Deref for Realtime {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Realtime> for Web {
    fn from_ref(realtime: &Realtime) -> Self {
        realtime.web.clone()
    }
}

impl fmt::Debug for Realtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Realtime")
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

impl fmt::Debug for RealtimeParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RealtimeParts")
    }
}
