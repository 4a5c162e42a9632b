//! Leases on jobs: a host renews the lease of each job that it works on, and another host gets a job whose lease has run out.

use behalf_host_db::{HostDb, HostTx};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use crate::queue::JobId;
use crate::stop::Stop;

/// A host's lease on a job. It is lost when another host gets the job; the loser can then store nothing for it.
///
/// The host's id is part of it, because a database that fails over to an older copy of itself counts epochs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JobLease {
    /// The job.
    pub(crate) id: JobId,
    /// Counts the hosts that had it.
    pub(crate) epoch: i64,
    /// This host.
    pub(crate) host: Uuid,
}

/// A row that is locked now is just being finished or saved, and is renewed the next time.
const RENEW: &str = "
    with held as (
        select j.id from behalf.jobs j
        join unnest($1::uuid[], $2::bigint[]) as mine (id, epoch) on mine.id = j.id and mine.epoch = j.epoch
        where j.host_id = $3 and j.state = 'running'
        for update of j skip locked)
    update behalf.jobs j set leased_until = now() + $4 * interval '1 second' from held where held.id = j.id";

const UNWANTED: &str = "
    select mine.id, mine.epoch, j.id is not null and j.epoch = mine.epoch and j.host_id = $3 and j.state = 'running' as is_mine
    from unnest($1::uuid[], $2::bigint[]) as mine (id, epoch)
    left join behalf.jobs j on j.id = mine.id
    where j.id is null or j.epoch <> mine.epoch or j.host_id is distinct from $3 or j.state <> 'running'
        or j.cancel_asked_at is not null";

#[derive(FromRow)]
struct Unwanted {
    id: JobId,
    epoch: i64,
    is_mine: bool,
}

/// Renews leases of this host.
pub(crate) async fn renew(db: &HostDb, leases: &[JobLease], host: Uuid, seconds: f64) -> Result<(), sqlx::Error> {
    let (ids, epochs) = columns(leases);
    let mut tx = db.begin_as_host().await?;
    sqlx::query(RENEW).bind(ids).bind(epochs).bind(host).bind(seconds).execute(&mut *tx).await?;
    tx.commit().await
}

/// Those of these jobs that are not to go on at this host, and why.
pub(crate) async fn unwanted(
    db: &HostDb,
    leases: &[JobLease],
    host: Uuid,
) -> Result<Vec<(JobLease, Stop)>, sqlx::Error> {
    let (ids, epochs) = columns(leases);
    let mut tx = db.begin_as_host().await?;
    let rows: Vec<Unwanted> = sqlx::query_as(UNWANTED).bind(ids).bind(epochs).bind(host).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    let stop = |row: &Unwanted| if row.is_mine { Stop::Cancelled } else { Stop::Lost };
    Ok(rows.iter().map(|row| (JobLease { id: row.id, epoch: row.epoch, host }, stop(row))).collect())
}

/// Whether this host still has the job and nobody cancelled it. Locks the row until the transaction ends, so that nobody gets the
/// job or cancels it in between.
pub(crate) async fn is_held(tx: &mut HostTx, lease: &JobLease) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(
        "select from behalf.jobs
         where id = $1 and epoch = $2 and host_id = $3 and state = 'running' and cancel_asked_at is null for share",
    )
    .bind(lease.id)
    .bind(lease.epoch)
    .bind(lease.host)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.is_some())
}

/// Takes a job that is done off the list; false where this host has lost it, or somebody cancelled it.
pub(crate) async fn end_with_success(tx: &mut HostTx, lease: &JobLease) -> Result<bool, sqlx::Error> {
    let deleted = sqlx::query(
        "delete from behalf.jobs
         where id = $1 and epoch = $2 and host_id = $3 and state = 'running' and cancel_asked_at is null",
    )
    .bind(lease.id)
    .bind(lease.epoch)
    .bind(lease.host)
    .execute(&mut **tx)
    .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Writes how far a job is. Returns why it has to stop, if it has to.
pub(crate) async fn write_progress(
    db: &HostDb,
    lease: &JobLease,
    done: u64,
    total: Option<u64>,
) -> Result<Option<Stop>, sqlx::Error> {
    let progress = total.map_or_else(|| json!({ "done": done }), |total| json!({ "done": done, "total": total }));
    let mut tx = db.begin_as_host().await?;
    let is_cancelled: Option<bool> = sqlx::query_scalar(
        "update behalf.jobs set progress = $4 where id = $1 and epoch = $2 and host_id = $3 and state = 'running'
         returning cancel_asked_at is not null",
    )
    .bind(lease.id)
    .bind(lease.epoch)
    .bind(lease.host)
    .bind(progress)
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(match is_cancelled {
        Some(false) => None,
        Some(true) => Some(Stop::Cancelled),
        None => Some(Stop::Lost),
    })
}

/// Ids and epochs, for `unnest`.
fn columns(leases: &[JobLease]) -> (Vec<JobId>, Vec<i64>) {
    leases.iter().map(|lease| (lease.id, lease.epoch)).unzip()
}
