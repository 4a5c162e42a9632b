//! The time that a call has waited for connections. It is the host's and does not count against the call's deadline.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time that one call has waited, the wait that goes on included.
#[derive(Debug, Default)]
pub struct WaitTime(Mutex<Waits>);

#[derive(Debug, Default)]
struct Waits {
    over: Duration,
    since: Option<Instant>,
}

/// A wait that goes on until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a WaitTime);

impl WaitTime {
    /// The sum of all waits.
    pub fn total(&self) -> Duration {
        let waits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waits.over + waits.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Begins to wait. A call waits for one thing at a time.
    pub(crate) fn begin(&self) -> Waiting<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).since = Some(Instant::now());
        Waiting(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waits = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(since) = waits.since.take() {
            waits.over += since.elapsed();
        }
    }
}
