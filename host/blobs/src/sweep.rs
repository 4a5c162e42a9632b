//! Deletes the bytes that nothing names, on every host; the list says which host deletes which.

use std::time::Duration;

use behalf_jobs::{Jobs, Next};
use behalf_problem::LogText as _;
use behalf_telemetry::metric;

use crate::error::BlobError;
use crate::id::BlobId;
use crate::store::Blobs;

/// Blobs of one statement, of each kind.
const BATCH: i64 = 500;

/// How often a host looks, at the least.
const PERIOD: Duration = Duration::from_mins(1);

/// The same for hosts that are to find abandoned bytes soon.
const SHORTEST_PERIOD: Duration = Duration::from_millis(250);

/// How long released bytes stay: somebody may just have read the row that named them. A claim that came to nothing is repeated after
/// the same time.
const GRACE: Duration = Duration::from_mins(1);

/// Starts it.
pub(crate) fn start(blobs: &Blobs, jobs: &Jobs) {
    let period = (blobs.abandoned_after() / 4).clamp(SHORTEST_PERIOD, PERIOD);
    let blobs = blobs.clone();
    jobs.every("sweep-blobs", period, move || {
        let blobs = blobs.clone();
        async move { sweep(&blobs).await.map(|()| Next::Continue) }
    });
}

async fn sweep(blobs: &Blobs) -> Result<(), BlobError> {
    let abandoned_after = blobs.abandoned_after();
    loop {
        let claimed = blobs.ledger().claim(GRACE.min(abandoned_after), abandoned_after, BATCH).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        let abandoned = claimed.iter().filter(|(_, is_abandoned)| *is_abandoned).count();
        let ids = claimed.iter().map(|(id, _)| *id).collect();
        let removed = remove(blobs, ids).await;
        blobs.ledger().remove(&removed).await?;
        metric::blobs_swept("abandoned", abandoned);
        metric::blobs_swept("released", claimed.len().saturating_sub(abandoned));
    }
}

/// Deletes bytes, and returns those that are gone now. The others are claimed again later.
async fn remove(blobs: &Blobs, ids: Vec<BlobId>) -> Vec<BlobId> {
    let mut failures = 0_usize;
    let mut gone = Vec::with_capacity(ids.len());
    for (id, removed) in blobs.backend().remove(ids).await {
        match removed {
            Ok(()) => gone.push(id),
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(
                        error = error.log_text(),
                        "bytes that nothing names cannot be deleted; trying again"
                    );
                }
                failures += 1;
            }
        }
    }
    gone
}
