//! One attempt at a job, as its handler sees it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use serde_json::Value as Json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::handler::{Done, Failure};
use crate::identity::Actor;
use crate::queue::JobId;
use crate::stop::{Stop, StopSignal};
use crate::store::lease::{self, JobLease};

/// How often progress is written at most.
const BETWEEN_WRITES: Duration = Duration::from_secs(1);

/// An attempt at a job.
pub struct Job {
    /// The job's id.
    pub id: JobId,
    /// What it is about.
    pub payload: Json,
    /// Which attempt this is, from 1 on.
    pub attempt: u32,
    /// Whether no further attempt follows if this one fails.
    pub is_last_attempt: bool,
    pub(crate) actor: Actor,
    pub(crate) lease: JobLease,
    pub(crate) db: HostDb,
    pub(crate) stop: StopSignal,
    pub(crate) written: Mutex<Option<Instant>>,
}

/// The handler expects a caller, and the job is the host's own.
#[derive(Debug, thiserror::Error)]
#[error("the job is the host's own, and its handler works for callers")]
struct NoCaller;

impl Job {
    /// Who added the job, and as whom it is done.
    pub fn principal(&self) -> Result<&Arc<Principal>, Failure> {
        match &self.actor {
            Actor::Principal(principal) => Ok(principal),
            Actor::Host => Err(Failure::retry(NoCaller)),
        }
    }

    /// Says how far the attempt is, for operators. At most one call in a second writes; the others cost nothing. A failure to write
    /// is not one of the job.
    pub async fn progress(&self, done: u64, total: Option<u64>) {
        let Ok(mut written) = self.written.try_lock() else { return };
        if written.is_some_and(|at| at.elapsed() < BETWEEN_WRITES) {
            return;
        }
        *written = Some(Instant::now());
        match lease::write_progress(&self.db, &self.lease, done, total).await {
            Ok(None) => {}
            Ok(Some(stop)) => self.stop.raise(stop),
            Err(error) => tracing::debug!(error = error.log_text(), "cannot write how far a job is"),
        }
    }

    /// Waits until the attempt has to stop, and says why. A handler selects on it and returns [`Failure::Stopped`] soon after.
    pub async fn stopped(&self) -> Stop {
        self.stop.raised().await
    }

    /// A token that is cancelled when the attempt has to stop.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.token()
    }

    /// Begins a transaction in the name of the job's owner, or in the host's own where the job is the host's.
    pub async fn begin(&self) -> Result<HostTx, Failure> {
        let begun = match &self.actor {
            Actor::Principal(principal) => self.db.begin(principal).await,
            Actor::Host => self.db.begin_as_host().await,
        };
        begun.map_err(Failure::from)
    }

    /// Commits the job's effect, and takes the job off the list in the same transaction. If this host has lost the job, or somebody
    /// cancelled it, nothing is committed. So the effect of a job is stored once.
    pub async fn finish(&self, mut tx: HostTx) -> Result<Done, Failure> {
        if !lease::end_with_success(&mut tx, &self.lease).await? {
            // The loop that looks after leases finds out what is wrong.
            return Err(Failure::Stopped);
        }
        tx.commit().await?;
        Ok(Done::stored())
    }

    /// Commits a part of the work, if this host still has the job and nobody cancelled it. A later attempt may find it stored.
    pub async fn save(&self, mut tx: HostTx) -> Result<(), Failure> {
        if !lease::is_held(&mut tx, &self.lease).await? {
            // The loop that looks after leases finds out what is wrong.
            return Err(Failure::Stopped);
        }
        tx.commit().await.map_err(Failure::from)
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("id", &self.id).field("attempt", &self.attempt).finish_non_exhaustive()
    }
}
