//! Keeps what this host has: renews the leases of its runs, says to other hosts that it is alive, and stops runs that are not to go on
//! here.
//!
//! It has a connection of its own and does nothing else, so nobody who is slow keeps it from renewing: neither a tool's server that
//! does not answer, nor those who use up the pool.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use behalf_host_db::HostDb;
use behalf_jobs::{Jobs, Next};
use thiserror::Error;
use tokio::time::{Instant, timeout};

use super::active_runs::{ActiveRuns, StopReason};
use crate::store::{HostNumber, HostPresence, RunLeaseStore};

/// How soon a run is stopped after another host was asked to cancel it.
const LOOK: Duration = Duration::from_secs(1);
/// Parts of the lease duration after which leases are renewed, so that a host which misses two renewals still has its runs.
pub(super) const RENEWALS: u32 = 4;

/// Why a turn failed.
#[derive(Debug, Error)]
enum KeepError {
    /// The database refused it.
    #[error("leases cannot be renewed")]
    Database(#[from] sqlx::Error),
    /// The database did not answer.
    #[error("leases could not be renewed in time")]
    Late,
}

/// Keeps the leases of this host.
#[derive(Debug)]
pub(crate) struct LeaseKeeper {
    active: Arc<ActiveRuns>,
    leases: RunLeaseStore,
    presence: HostPresence,
    lease_duration: Duration,
    renewed: Mutex<Option<Instant>>,
}

impl LeaseKeeper {
    /// Begins to keep the leases of the runs in `active`, for which this host is `host` to others.
    pub(crate) fn start(
        db: &HostDb,
        host: HostNumber,
        active: &Arc<ActiveRuns>,
        lease_duration: Duration,
        jobs: &Jobs,
    ) {
        let renewal = lease_duration / RENEWALS;
        // What takes longer than the leases last is too late anyway.
        let db = db.with_own_connection(lease_duration);
        let keeper = Arc::new(Self {
            active: Arc::clone(active),
            leases: RunLeaseStore::new(db.clone()),
            presence: HostPresence::new(db, host),
            lease_duration,
            renewed: Mutex::default(),
        });
        jobs.every("run lease keeper", LOOK, move || {
            let keeper = Arc::clone(&keeper);
            async move {
                let turn = timeout(lease_duration, keeper.keep(renewal)).await;
                turn.map_err(|_| KeepError::Late)?.map(|()| Next::Continue).map_err(KeepError::from)
            }
        });
    }

    async fn keep(&self, renewal: Duration) -> Result<(), sqlx::Error> {
        let leases = self.active.leases();
        if !leases.is_empty() {
            if self.is_due(renewal) && self.leases.renew(&leases, self.lease_duration.as_secs_f64()).await? {
                *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
            for run in self.leases.unwanted(&leases).await? {
                let reason = if run.cancelled { StopReason::Cancelled } else { StopReason::LeaseLost };
                self.active.stop(&run.run_id, reason);
            }
        }
        self.presence.confirm().await
    }

    /// Whether it is time to renew; after a renewal that failed or left runs out, it is at the next look.
    fn is_due(&self, renewal: Duration) -> bool {
        let renewed = *self.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        renewed.is_none_or(|renewed| renewed.elapsed() >= renewal)
    }
}
