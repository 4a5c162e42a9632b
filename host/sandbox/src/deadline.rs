//! When a call has to end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_caller_db::WaitTime;

/// When a call has to end. It moves while the call waits for the host: that time is not the guest's.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Instant,
    waited: Option<Arc<WaitTime>>,
}

impl Deadline {
    /// A call that begins now and may take this long, without the time that it waits for connections.
    pub(crate) fn after(timeout: Duration, waited: Option<Arc<WaitTime>>) -> Self {
        Self { at: Instant::now() + timeout, waited }
    }

    /// The moment, as things stand.
    pub(crate) fn at(&self) -> Instant {
        self.at + self.waited.as_ref().map_or(Duration::ZERO, |waited| waited.total())
    }
}

impl From<Instant> for Deadline {
    fn from(at: Instant) -> Self {
        Self { at, waited: None }
    }
}
