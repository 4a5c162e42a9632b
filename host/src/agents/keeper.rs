//! Looks after runs: renews the leases of this host's, stops those that nobody wants any more here, and takes over runs that
//! lost their host.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Agents;
use super::error::HOST_STOPPED;
use super::live::Stop;

/// How soon a run is stopped after another host was asked to.
const LOOK: Duration = Duration::from_secs(1);
/// Parts of a lease after which it is renewed, so that a host which misses two turns still has its runs.
const RENEWALS: u32 = 4;
/// Runs that are taken over in one look: each costs a few statements, and other hosts want some, too.
const MAX_TAKEN: usize = 20;

pub(super) async fn keep(agents: Weak<Agents>, lease: Duration) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let renew = u32::try_from(lease.as_secs()).unwrap_or(u32::MAX).div_euclid(RENEWALS).max(1);
    for look in 0_u32.. {
        ticks.tick().await;
        let Some(agents) = agents.upgrade() else { return };
        match look_after(&agents, look.is_multiple_of(renew)).await {
            Ok(()) => {}
            Err(sqlx::Error::PoolClosed) => return,
            Err(error) => tracing::warn!(error = %error, "cannot look after runs"),
        }
    }
}

async fn look_after(agents: &Arc<Agents>, renew: bool) -> Result<(), sqlx::Error> {
    let holds = agents.live.holds();
    if !holds.is_empty() {
        if renew {
            agents.db.renew_leases(&holds, agents.lease.as_secs_f64()).await?;
        }
        for (run_id, cancelled) in agents.db.unwanted_runs(&holds).await? {
            agents.live.stop(&run_id, if cancelled { Stop::Cancelled } else { Stop::Lost });
        }
    }
    if renew {
        let failed = agents.db.fail_abandoned_runs(HOST_STOPPED).await?;
        if failed > 0 {
            metrics::counter!("behalf_runs_total", "status" => "failed").increment(failed);
            tracing::warn!(runs = failed, "runs had lost their hosts too often and were marked failed");
        }
        for _ in 0..MAX_TAKEN {
            if !agents.take_over().await? {
                break;
            }
        }
    }
    Ok(())
}
