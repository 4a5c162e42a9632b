//! How many places are within reach of whom.

use std::time::Duration;

/// Which callers are heavy, and how many places are within reach of whom while others are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Whoever held a place for longer lately is heavy.
    pub(crate) hold: Duration,
    /// Whoever held places for longer lately, all holds together, is heavy.
    pub(crate) usage: Duration,
    /// Places for one caller.
    pub(crate) one: usize,
    /// Places for all heavy callers together, while one that is not heavy is there.
    pub(crate) heavy: usize,
    /// Places for all heavy callers together otherwise.
    pub(crate) heavy_alone: usize,
    /// Places for all new callers together, while one is there that is known not to be heavy.
    pub(crate) new: usize,
}

/// What the places are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Work that ends soon as a rule, such as statements on database connections.
    Short,
    /// Work of any length, such as calls of tools.
    Mixed,
    /// Work that takes long as a rule, such as runs of agents.
    Long,
}

impl Limits {
    pub(crate) fn new(places: usize, work: Work) -> Self {
        let (quarter, half, most) = match places {
            // Too few to keep some free.
            ..4 => (places, places, places),
            _ => (places / 4, places - places / 2, places - places / 4),
        };
        let (hold, usage) = match work {
            Work::Short => (Duration::from_secs(1), Duration::from_secs(2)),
            Work::Mixed | Work::Long => (Duration::from_secs(5), Duration::from_secs(10)),
        };
        let (one, heavy, new) = match work {
            Work::Short => (half, quarter, quarter),
            Work::Mixed => (half, half, quarter),
            Work::Long => (most, most, places),
        };
        Self { hold, usage, one, heavy, heavy_alone: most, new }
    }

    /// As long as no more are taken, every caller gets a place.
    pub(crate) fn least(&self) -> usize {
        self.one.min(self.heavy).min(self.new)
    }
}
