//! How a host does jobs.

use std::time::Duration;

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
