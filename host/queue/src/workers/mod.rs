//! Does jobs: which kinds this host knows, how many at once, and the loops that look after them.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use behalf_jobs::Jobs;

use crate::handler::{Handler, OwnerCheck};
use crate::queue::Queue;

/// How this host does jobs.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// The lanes that this host takes jobs of. The host's own work has one beside these.
    pub lanes: Vec<LaneOptions>,
    /// For how long a host has a job without renewing its lease.
    pub lease: Duration,
    /// How often a host looks for what it was not told of.
    pub poll: Duration,
    /// How long jobs that failed or were cancelled are kept; for ever where none.
    pub kept_ended: Option<Duration>,
}

/// How many jobs of a lane are done at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneOptions {
    /// The lane.
    pub name: &'static str,
    /// Jobs at once on this host. With none, other hosts do them.
    pub places: usize,
    /// Jobs of one owner at once, on all hosts together.
    pub per_owner: u32,
}

/// The jobs that this host does, until [`Workers::start`].
pub struct Workers {
    queue: Queue,
    owner_check: Arc<dyn OwnerCheck>,
    options: WorkerOptions,
    handlers: HashMap<&'static str, Arc<dyn Handler>>,
}

impl Workers {
    /// Does no kind of job yet.
    pub fn new(queue: Queue, owner_check: Arc<dyn OwnerCheck>, options: WorkerOptions) -> Self {
        Self { queue, owner_check, options, handlers: HashMap::new() }
    }

    /// Does jobs of the handler's kind.
    pub fn handle(&mut self, handler: impl Handler) {
        self.handlers.insert(handler.kind(), Arc::new(handler));
    }

    /// Does `work` of the host's own once in every `period`, at one host of all: whichever notices first.
    pub fn every<F, T, E>(&mut self, kind: &'static str, period: Duration, work: F)
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = Result<(), E>> + Send + 'static,
        E: Error + Send + Sync + 'static,
    {
        let _ = (kind, period, work);
    }

    /// Begins to do jobs, until `jobs` stops.
    pub fn start(self, jobs: &Jobs) {
        let _ = jobs;
    }
}
