//! Takes jobs of one lane, as many at once as the lane has places on this host.

use std::sync::Arc;
use std::time::Duration;

use behalf_problem::LogText as _;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::attempt::Attempt;
use super::options::LaneOptions;
use super::shared::Shared;
use crate::stop::Stop;
use crate::store::claim::{ClaimFor, Claimed, claim};

/// How long a claim that is under way may take after the host began to stop. One that is dropped costs its job an attempt.
const LAST_CLAIM: Duration = Duration::from_secs(1);

/// Takes jobs until the host stops, and then waits for the attempts under way.
pub(super) async fn take_jobs(shared: Arc<Shared>, lane: LaneOptions) {
    let (places, attempts) = (Arc::new(Semaphore::new(lane.places)), TaskTracker::new());
    loop {
        let place = tokio::select! {
            biased;
            () = shared.stopping.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let Ok(place) = place else { break };
        let claimed = tokio::select! {
            claimed = next(&shared, &lane) => claimed,
            () = async { shared.stopping.cancelled().await; tokio::time::sleep(LAST_CLAIM).await } => break,
        };
        if let Some(claimed) = claimed {
            let attempt = Attempt::new(Arc::clone(&shared), claimed);
            let of_lane = Arc::clone(&shared);
            attempts.spawn(async move {
                attempt.work().await;
                drop(place);
                // Its owner may have waited for this one to end.
                of_lane.wake(lane.name);
            });
            continue;
        }
        drop(place);
        tokio::select! {
            () = shared.stopping.cancelled() => break,
            () = shared.woken(&lane) => {}
        }
    }
    shared.active.stop_all(Stop::HostStops);
    attempts.close();
    attempts.wait().await;
}

/// Claims a job; none where there is none, or the database does not answer. Then the loop that looks wakes the lane again.
async fn next(shared: &Shared, lane: &LaneOptions) -> Option<Claimed> {
    let wanted = ClaimFor {
        lane: lane.name,
        kinds: &shared.kinds,
        host: shared.host,
        lease_seconds: shared.lease_seconds(),
        per_owner: i32::try_from(lane.per_owner.max(1)).unwrap_or(i32::MAX),
    };
    match claim(shared.db(), &wanted).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(job.lane = lane.name, error = error.log_text(), "cannot claim a job; trying again");
            None
        }
    }
}
