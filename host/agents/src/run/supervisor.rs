//! Looks after runs that lost their host: this host resumes them, or marks those failed that lost too many.

use std::sync::Arc;
use std::time::Duration;

use behalf_jobs::{Jobs, Next};
use behalf_telemetry::metric;

use super::abandoned::end_abandoned;
use super::lease_keeper::RENEWALS;
use super::starter::RunStarter;

/// The shortest time between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// Runs that are resumed in one turn: each costs a few statements, and other hosts want some, too.
const MAX_RESUMED: usize = 20;

/// Looks after runs that lost their host.
#[derive(Debug)]
pub(crate) struct RunSupervisor {
    starter: Arc<RunStarter>,
}

impl RunSupervisor {
    /// Begins to look after such runs, also after those that an earlier host left behind.
    pub(crate) fn start(starter: &Arc<RunStarter>, jobs: &Jobs) {
        let supervisor = Arc::new(Self { starter: Arc::clone(starter) });
        jobs.every("run supervisor", (starter.lease_duration / RENEWALS).max(LOOK), move || {
            let supervisor = Arc::clone(&supervisor);
            async move { supervisor.resume_abandoned().await.map(|()| Next::Continue) }
        });
    }

    /// Resumes runs that lost their host, and marks those failed that lost too many.
    async fn resume_abandoned(&self) -> Result<(), sqlx::Error> {
        let environment = &self.starter.environment;
        let failed = environment.runs.fail_abandoned(end_abandoned).await?;
        if failed > 0 {
            metric::runs_ended("failed", failed);
            tracing::warn!(runs = failed, "runs had lost their hosts too often and were marked failed");
        }
        environment.awaited.prune().await?;
        for _ in 0..MAX_RESUMED {
            if !self.starter.take_over().await? {
                break;
            }
        }
        Ok(())
    }
}
