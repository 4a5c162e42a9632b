//! Keeps the leases of this host, and stops attempts that are not to go on here.

use std::sync::Arc;
use std::time::Duration;

use behalf_jobs::{Jobs, Next};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::shared::Shared;
use crate::store::lease;

/// How soon an attempt is stopped after its job was cancelled.
const LOOK: Duration = Duration::from_secs(1);

/// Parts of a lease after which it is renewed, so that a host which misses two turns still has its jobs.
const RENEWALS: u32 = 4;

/// Starts it.
pub(super) fn start(shared: &Arc<Shared>, jobs: &Jobs) {
    let (shared, renewed) = (Arc::clone(shared), Arc::new(Mutex::new(None::<Instant>)));
    let renewal = shared.options.lease / RENEWALS;
    jobs.every("job leases", LOOK.min(renewal), move || {
        let (shared, renewed) = (Arc::clone(&shared), Arc::clone(&renewed));
        async move {
            let leases = shared.active.leases();
            if leases.is_empty() {
                return Ok::<_, sqlx::Error>(Next::Continue);
            }
            let mut renewed = renewed.lock().await;
            // The claim itself began the lease, so the first turn need not renew it, but a turn that failed is made up for.
            if renewed.is_none_or(|at| at.elapsed() >= renewal) {
                let now = Instant::now();
                lease::renew(shared.db(), &leases, shared.host, shared.lease_seconds()).await?;
                *renewed = Some(now);
            }
            for (lease, reason) in lease::unwanted(shared.db(), &leases, shared.host).await? {
                shared.active.stop(&lease, reason);
            }
            Ok(Next::Continue)
        }
    });
}
