//! What the loops of one host share.

use std::collections::HashMap;
use std::sync::Arc;

use behalf_host_db::HostDb;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::active::ActiveJobs;
use super::options::{LaneOptions, WorkerOptions};
use crate::handler::{Handler, OwnerCheck};
use crate::queue::Queue;

/// What the loops of one host share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) owner_check: Arc<dyn OwnerCheck>,
    pub(super) options: WorkerOptions,
    pub(super) handlers: HashMap<&'static str, Arc<dyn Handler>>,
    /// The kinds of the handlers.
    pub(super) kinds: Vec<String>,
    /// This host, from its start to its end.
    pub(super) host: Uuid,
    pub(super) active: ActiveJobs,
    wakes: HashMap<&'static str, Arc<Notify>>,
    /// Cancelled when the host stops.
    pub(super) stopping: CancellationToken,
}

impl Shared {
    pub(super) fn new(
        queue: Queue,
        owner_check: Arc<dyn OwnerCheck>,
        options: WorkerOptions,
        handlers: HashMap<&'static str, Arc<dyn Handler>>,
    ) -> Self {
        Self {
            kinds: handlers.keys().map(|&kind| kind.to_owned()).collect(),
            wakes: options.lanes.iter().map(|lane| (lane.name, Arc::default())).collect(),
            host: Uuid::new_v4(),
            active: ActiveJobs::default(),
            stopping: CancellationToken::new(),
            queue,
            owner_check,
            options,
            handlers,
        }
    }

    /// The database.
    pub(super) fn db(&self) -> &HostDb {
        &self.queue.db
    }

    /// Tells the lane's loop that there may be something to claim.
    pub(super) fn wake(&self, lane: &str) {
        if let Some(wake) = self.wakes.get(lane) {
            wake.notify_one();
        }
    }

    /// The same for every lane.
    pub(super) fn wake_all(&self) {
        self.wakes.values().for_each(|wake| wake.notify_one());
    }

    /// Waits until somebody says that there may be something to claim in the lane.
    pub(super) async fn woken(&self, lane: &LaneOptions) {
        match self.wakes.get(lane.name) {
            Some(wake) => wake.notified().await,
            None => std::future::pending().await,
        }
    }

    /// Names of the lanes.
    pub(super) fn lanes(&self) -> Vec<String> {
        self.options.lanes.iter().map(|lane| lane.name.to_owned()).collect()
    }

    /// How long a lease lasts.
    pub(super) fn lease_seconds(&self) -> f64 {
        self.options.lease.as_secs_f64()
    }
}
