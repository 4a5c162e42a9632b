//! Does jobs: which kinds this host knows, how many at once, and the loops that look after them.

mod active;
mod attempt;
mod ending;
mod keeper;
mod lane;
mod listener;
mod options;
mod own_work;
mod shared;
mod upkeep;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use behalf_jobs::Jobs;
use tokio_util::task::TaskTracker;

use self::own_work::OwnWork;
use self::shared::Shared;
use crate::handler::{Handler, OwnerCheck};
use crate::queue::Queue;
use crate::store::schedules::HOST_LANE;
use crate::store::upkeep::prune;

pub use options::{LaneOptions, WorkerOptions};

/// Pieces of the host's own work at once on one host, so that a long one does not hold up all others.
const OWN_PLACES: usize = 2;

/// The kind of the work that deletes ended jobs.
const PRUNE: &str = "prune-jobs";

/// How often they are deleted.
const PRUNE_PERIOD: Duration = Duration::from_mins(10);

/// The jobs that this host does, until [`Workers::start`].
pub struct Workers {
    queue: Queue,
    owner_check: Arc<dyn OwnerCheck>,
    options: WorkerOptions,
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
    schedules: Vec<(&'static str, Duration)>,
}

impl Workers {
    /// Does no kind of job yet, but for deleting those that ended long ago.
    pub fn new(queue: Queue, owner_check: Arc<dyn OwnerCheck>, options: WorkerOptions) -> Self {
        let (db, kept) = (queue.db.clone(), options.kept_ended);
        let mut workers = Self { queue, owner_check, options, handlers: HashMap::new(), schedules: Vec::new() };
        workers.every(PRUNE, PRUNE_PERIOD, move || {
            let db = db.clone();
            async move { prune(&db, kept).await }
        });
        workers
    }

    /// The queue whose jobs these are.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Takes jobs of a further lane.
    pub fn lane(&mut self, lane: LaneOptions) {
        self.options.lanes.push(lane);
    }

    /// Does jobs of the handler's kind.
    pub fn handle(&mut self, handler: impl Handler) {
        self.handlers.insert(handler.kind(), Arc::new(handler));
    }

    /// Does `work` of the host's own once in every `period`, at one host of all: whichever notices first. The first time is at once,
    /// where no host has done it yet. `work` may be dropped and done again, so a second time must do no harm.
    pub fn every<F, T, E>(&mut self, kind: &'static str, period: Duration, work: F)
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        self.handle(OwnWork::new(kind, work));
        self.schedules.push((kind, period));
    }

    /// Begins to do jobs, until [`RunningWorkers::shutdown`] or the end of `jobs`.
    pub fn start(self, jobs: &Jobs) -> RunningWorkers {
        let Self { queue, owner_check, mut options, handlers, schedules } = self;
        options.lanes.push(LaneOptions { name: HOST_LANE, places: OWN_PLACES, per_owner: u32::MAX });
        let shared = Arc::new(Shared::new(queue, owner_check, options, handlers));
        let lanes = TaskTracker::new();
        for &lane in &shared.options.lanes {
            let work = lanes.track_future(lane::take_jobs(Arc::clone(&shared), lane));
            jobs.spawn("job lane", |_stop| work);
        }
        lanes.close();
        let stopped = Arc::clone(&shared);
        jobs.spawn("job stop", |stop| async move {
            stop.requested().await;
            stopped.stopping.cancel();
        });
        listener::start(&shared, jobs);
        keeper::start(&shared, jobs);
        upkeep::start(&shared, schedules, jobs);
        RunningWorkers { shared, lanes }
    }
}

/// The jobs that this host does. Dropping it stops nothing.
pub struct RunningWorkers {
    shared: Arc<Shared>,
    lanes: TaskTracker,
}

impl RunningWorkers {
    /// Takes no further job, asks the attempts under way to stop, and after a moment gives their jobs back to other hosts. Such an
    /// attempt does not count. What jobs work with has to be there until then.
    pub async fn shutdown(&self) {
        self.shared.stopping.cancel();
        self.lanes.wait().await;
    }
}

impl fmt::Debug for RunningWorkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningWorkers").field("lanes", &self.lanes.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("kinds", &self.handlers.keys()).finish_non_exhaustive()
    }
}
