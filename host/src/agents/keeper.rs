//! Looks after runs: renews the leases of this host's, stops those that nobody wants any more, and says of runs that lost
//! their host that they failed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Agents;
use super::error::HOST_STOPPED;
use super::live::Stop;

/// How soon a run is stopped after another host was asked to.
const LOOK: Duration = Duration::from_secs(1);
/// Looks between two renewals of the leases.
const RENEW: u32 = 10;
/// Looks between two sweeps.
const SWEEP: u32 = 15;
/// How long a run without a sign of its host is left alone.
pub(super) const LEASE_SECONDS: f64 = 45.0;

pub(super) async fn keep(agents: Weak<Agents>) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in 0_u32.. {
        ticks.tick().await;
        let Some(agents) = agents.upgrade() else { return };
        match look_after(&agents, look).await {
            Ok(()) => {}
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(error = %error, "cannot look after runs"),
        }
    }
}

async fn look_after(agents: &Arc<Agents>, look: u32) -> Result<(), sqlx::Error> {
    let runs = agents.live.ids();
    if !runs.is_empty() {
        if look.is_multiple_of(RENEW) {
            agents.db.renew_leases(&runs, LEASE_SECONDS).await?;
        }
        for run_id in agents.db.unwanted_runs(&runs).await? {
            agents.live.stop(&run_id, Stop::Cancelled);
        }
    }
    if look.is_multiple_of(SWEEP) {
        let failed = agents.db.fail_abandoned_runs(HOST_STOPPED).await?;
        if failed > 0 {
            metrics::counter!("behalf_runs_total", "status" => "failed").increment(failed);
            tracing::warn!(runs = failed, "runs had lost their host and were marked failed");
        }
    }
    Ok(())
}
