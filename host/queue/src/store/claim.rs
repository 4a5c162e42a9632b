//! Claiming jobs: a host gets the next one of the owner whose turn it is.

use behalf_host_db::HostDb;
use serde_json::Value as Json;
use sqlx::FromRow;
use uuid::Uuid;

use super::lease::JobLease;
use crate::queue::JobId;

/// A job that this host has now.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Claimed {
    /// Its id.
    pub(crate) id: JobId,
    /// Counts the hosts that had it.
    pub(crate) epoch: i64,
    /// Its kind.
    pub(crate) kind: String,
    /// Its owner, as the table names it.
    pub(crate) owner: String,
    /// Its owner, if that is a user.
    pub(crate) user_id: Option<Uuid>,
    /// Its caller, as it was sealed for this job.
    pub(crate) identity: Option<Json>,
    /// What it is about.
    pub(crate) payload: Json,
    /// How often hosts began it, this one included.
    pub(crate) attempts: i32,
    /// How often they may.
    pub(crate) max_attempts: i32,
    /// Seconds that it waited since it was ready.
    pub(crate) waited: f64,
    /// Whether somebody cancelled it.
    pub(crate) is_cancelled: bool,
}

impl Claimed {
    /// This host's lease on it.
    pub(crate) fn lease(&self, host: Uuid) -> JobLease {
        JobLease { id: self.id, epoch: self.epoch, host }
    }

    /// Whether no further attempt follows.
    pub(crate) fn is_last_attempt(&self) -> bool {
        self.attempts >= self.max_attempts
    }
}

/// What [`Claimed`] reads of a row `j`.
macro_rules! claimed {
    () => {
        "j.id, j.epoch, j.kind, j.owner, j.user_id, j.identity, j.payload, j.attempts, j.max_attempts,
         extract(epoch from now() - j.run_at)::double precision as waited, j.cancel_asked_at is not null as is_cancelled"
    };
}
pub(super) use claimed;

/// Which jobs a host claims, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct ClaimFor<'a> {
    /// The lane.
    pub(crate) lane: &'a str,
    /// The kinds that the host knows.
    pub(crate) kinds: &'a [String],
    /// The host.
    pub(crate) host: Uuid,
    /// Seconds that it has the job without renewing the lease.
    pub(crate) lease_seconds: f64,
    /// Jobs of one owner that may be under way.
    pub(crate) per_owner: i32,
}

/// Claims a job; none where nothing waits that this host may do.
pub(crate) async fn claim(db: &HostDb, wanted: &ClaimFor<'_>) -> Result<Option<Claimed>, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let claimed = sqlx::query_as(concat!("select ", claimed!(), " from behalf.claim_job($1, $2, $3, $4, $5) j"))
        .bind(wanted.lane)
        .bind(wanted.kinds)
        .bind(wanted.host)
        .bind(wanted.lease_seconds)
        .bind(wanted.per_owner)
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(claimed)
}
