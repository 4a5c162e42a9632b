//! Looks after runs: renews the leases of this host, stops runs that are not to go on here, and resumes runs that lost their
//! host.

use std::sync::Arc;
use std::time::Duration;

use behalf_jobs::{Jobs, Next};
use behalf_telemetry::metric;

use super::active_runs::{ActiveRuns, StopReason};
use super::starter::RunStarter;
use crate::store::RunLeaseStore;

/// How soon a run is stopped after another host was asked to cancel it.
const LOOK: Duration = Duration::from_secs(1);
/// Parts of the lease duration after which leases are renewed, so that a host which misses two turns still has its runs.
const RENEWALS: u32 = 4;
/// Runs that are resumed in one turn: each costs a few statements, and other hosts want some, too.
const MAX_RESUMED: usize = 20;
/// The error of a run whose hosts died too often.
const HOST_STOPPED: &str = "the host stopped during this run";

/// Looks after runs.
#[derive(Debug)]
pub(crate) struct RunSupervisor {
    starter: Arc<RunStarter>,
    active: Arc<ActiveRuns>,
    leases: RunLeaseStore,
    lease_duration: Duration,
}

impl RunSupervisor {
    /// Begins to look after runs, also after those that an earlier host left behind.
    pub(crate) fn start(starter: &Arc<RunStarter>, jobs: &Jobs) {
        let supervisor = Arc::new(Self {
            active: Arc::clone(&starter.environment.active),
            leases: starter.environment.leases.clone(),
            lease_duration: starter.lease_duration,
            starter: Arc::clone(starter),
        });
        let seconds = u32::try_from(supervisor.lease_duration.as_secs()).unwrap_or(u32::MAX);
        let turns_per_renewal = seconds.div_euclid(RENEWALS).max(1);
        let mut turn = 0_u32;
        jobs.every("run supervisor", LOOK, move || {
            let (supervisor, renews) = (Arc::clone(&supervisor), turn.is_multiple_of(turns_per_renewal));
            turn = turn.wrapping_add(1);
            async move { supervisor.look_after(renews).await.map(|()| Next::Continue) }
        });
    }

    async fn look_after(&self, renews: bool) -> Result<(), sqlx::Error> {
        let leases = self.active.leases();
        if !leases.is_empty() {
            if renews {
                self.leases.renew(&leases, self.lease_duration.as_secs_f64()).await?;
            }
            for run in self.leases.unwanted(&leases).await? {
                self.active
                    .stop(&run.run_id, if run.cancelled { StopReason::Cancelled } else { StopReason::LeaseLost });
            }
        }
        if renews {
            self.resume_abandoned().await?;
        }
        Ok(())
    }

    /// Resumes runs that lost their host, and marks those failed that lost too many.
    async fn resume_abandoned(&self) -> Result<(), sqlx::Error> {
        let failed = self.leases.fail_abandoned(HOST_STOPPED).await?;
        if failed > 0 {
            metric::runs_ended("failed", failed);
            tracing::warn!(runs = failed, "runs had lost their hosts too often and were marked failed");
        }
        for _ in 0..MAX_RESUMED {
            if !self.starter.take_over().await? {
                break;
            }
        }
        Ok(())
    }
}
