//! Looks for jobs that no host works on and that something has to happen to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use behalf_jobs::{Jobs, Next};
use behalf_problem::LogText as _;
use behalf_telemetry::metric;

use super::ending::Ending;
use super::shared::Shared;
use crate::store::outcome::Reason;
use crate::store::{schedules, upkeep};

/// How often jobs are counted for metrics.
const COUNT: Duration = Duration::from_secs(10);

/// Jobs that are ended in one turn: each costs a few statements, and other hosts end some, too.
const MAX_ENDED: usize = 100;

/// Starts it.
pub(super) fn start(shared: &Arc<Shared>, scheduled: Vec<(&'static str, Duration)>, jobs: &Jobs) {
    let upkeep = Arc::new(Upkeep {
        lanes: shared.lanes(),
        scheduled_kinds: scheduled.iter().map(|&(kind, _)| kind.to_owned()).collect(),
        scheduled,
        has_schedules: AtomicBool::new(false),
        shared: Arc::clone(shared),
    });
    let counted = Arc::clone(&upkeep);
    jobs.every("job upkeep", shared.options.poll, move || {
        let upkeep = Arc::clone(&upkeep);
        async move { upkeep.turn().await.map(|()| Next::Continue) }
    });
    jobs.every("job counts", COUNT, move || {
        let counted = Arc::clone(&counted);
        async move { counted.count().await.map(|()| Next::Continue) }
    });
}

struct Upkeep {
    shared: Arc<Shared>,
    lanes: Vec<String>,
    scheduled: Vec<(&'static str, Duration)>,
    scheduled_kinds: Vec<String>,
    has_schedules: AtomicBool,
}

impl Upkeep {
    /// Each kind of change is a transaction of its own: each locks what counts the jobs of several owners.
    async fn turn(&self) -> Result<(), sqlx::Error> {
        let db = self.shared.db();
        if !self.has_schedules.load(Ordering::Relaxed) {
            for (kind, period) in &self.scheduled {
                schedules::ensure(db, kind, *period).await?;
            }
            self.has_schedules.store(true, Ordering::Relaxed);
        }
        let look = upkeep::look(db, &self.lanes, &self.scheduled_kinds).await?;
        if look.has_delayed {
            upkeep::promote(db).await?;
        }
        if look.has_expired {
            let given = upkeep::give_back(db, &self.shared.active.leases(), self.shared.host).await?;
            metric::jobs_returned(given);
            if given > 0 {
                tracing::info!(jobs = given, "jobs lost their hosts; they wait again");
            }
        }
        if look.has_expired || look.has_cancelled {
            self.end_some().await?;
        }
        if look.has_due {
            for (kind, period) in &self.scheduled {
                schedules::add_due(db, kind, *period).await?;
            }
        }
        // Those that just became ready are notified.
        look.lanes.iter().for_each(|lane| self.shared.wake(lane));
        Ok(())
    }

    /// Ends jobs that were cancelled while they waited, or that were lost in their last attempt.
    async fn end_some(&self) -> Result<(), sqlx::Error> {
        let shared = &self.shared;
        for _ in 0..MAX_ENDED {
            let mine = shared.active.leases();
            let taken =
                upkeep::take_to_end(shared.db(), &mine, shared.host, shared.lease_seconds(), &shared.kinds).await?;
            let Some(claimed) = taken else { break };
            let reason = if claimed.is_cancelled { Reason::cancelled() } else { Reason::host_lost() };
            // What fails here is tried again when the lease runs out, by this host or another.
            if let Err(error) = Ending::new(shared, &claimed).end(claimed.is_cancelled, &reason).await {
                tracing::warn!(error = error.log_text(), "cannot end a job; trying again");
            }
        }
        Ok(())
    }

    async fn count(&self) -> Result<(), sqlx::Error> {
        for lane in upkeep::counts(self.shared.db(), &self.lanes).await? {
            metric::jobs_in_lane(&lane.lane, lane.ready, lane.running, lane.dead);
        }
        Ok(())
    }
}
