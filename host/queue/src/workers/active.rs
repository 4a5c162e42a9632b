//! The attempts under way at this host.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::stop::{Stop, StopSignal};
use crate::store::lease::JobLease;

/// The attempts under way at this host, by the leases that they hold.
#[derive(Debug, Default)]
pub(super) struct ActiveJobs(Mutex<HashMap<JobLease, StopSignal>>);

impl ActiveJobs {
    fn all(&self) -> MutexGuard<'_, HashMap<JobLease, StopSignal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an attempt. From here on its lease is renewed.
    pub(super) fn add(&self, lease: JobLease) -> StopSignal {
        self.all().entry(lease).or_default().clone()
    }

    /// Removes an attempt that is over.
    pub(super) fn remove(&self, lease: &JobLease) {
        self.all().remove(lease);
    }

    /// The leases that this host holds.
    pub(super) fn leases(&self) -> Vec<JobLease> {
        self.all().keys().copied().collect()
    }

    /// Asks an attempt to stop.
    pub(super) fn stop(&self, lease: &JobLease, reason: Stop) {
        if let Some(signal) = self.all().get(lease) {
            signal.raise(reason);
        }
    }

    /// Asks every attempt to stop.
    pub(super) fn stop_all(&self, reason: Stop) {
        self.all().values().for_each(|signal| signal.raise(reason));
    }
}
