//! Adding jobs and cancelling them, in a transaction of their feature's.

use behalf_host_db::HostTx;
use serde_json::Value as Json;

use crate::queue::{Added, Cancel, JobId, NewJob};

/// The trigger `own_job` sets the owner from the claims of the transaction.
const ADD: &str = "
    insert into behalf.jobs (id, lane, kind, identity, payload, unique_key, state, run_at, max_attempts)
    values ($1, $2, $3, $4, $5, $6, case when $7 > 0 then 'delayed' else 'ready' end, now() + $7 * interval '1 second', $8)
    on conflict (kind, unique_key) where unique_key is not null and state in ('ready', 'delayed', 'running') do nothing
    returning id";

/// In one statement, so that a job which is claimed or returned at the same moment is one or the other.
const CANCEL: &str = "
    update behalf.jobs
    set cancel_asked_at = coalesce(cancel_asked_at, now()),
        state = case when state = 'running' then state else 'cancelled' end,
        ended_at = case when state = 'running' then ended_at else now() end,
        error_code = case when state = 'running' then error_code else 'cancelled' end,
        error_message = case when state = 'running' then error_message end
    where id = $1 and state in ('ready', 'delayed', 'running')
    returning state = 'running'";

/// The jobs of its owner that wait in its lane, itself included.
const WAITING_BESIDE: &str = "
    select coalesce(max(o.ready), 0)::bigint from behalf.jobs j join behalf.job_owners o using (lane, owner) where j.id = $1";

const TAKE_BACK: &str = "delete from behalf.jobs where id = $1";

/// How often a job is added again whose namesake ended just when it was looked up.
const TRIES: usize = 8;

/// Adds a job, or finds the one with the same unique key.
pub(crate) async fn add(
    tx: &mut HostTx,
    id: JobId,
    identity: Option<&Json>,
    job: &NewJob<'_>,
) -> Result<Added, sqlx::Error> {
    for _ in 0..TRIES {
        let added: Option<JobId> = sqlx::query_scalar(ADD)
            .bind(id)
            .bind(job.lane)
            .bind(job.kind)
            .bind(identity)
            .bind(&job.payload)
            .bind(job.unique_key)
            .bind(job.delay.as_secs_f64())
            .bind(attempts(job))
            .fetch_optional(&mut **tx)
            .await?;
        if let Some(id) = added {
            return Ok(Added::New(id));
        }
        // Row-level security may hide the other one, which can be another caller's.
        let there: Option<JobId> = sqlx::query_scalar("select behalf.job_with_key($1, $2)")
            .bind(job.kind)
            .bind(job.unique_key)
            .fetch_one(&mut **tx)
            .await?;
        if let Some(id) = there {
            return Ok(Added::There(id));
        }
    }
    Err(sqlx::Error::RowNotFound)
}

/// How many jobs wait in the lane of this one, for its owner and with itself.
pub(crate) async fn waiting_beside(tx: &mut HostTx, id: JobId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(WAITING_BESIDE).bind(id).fetch_one(&mut **tx).await
}

/// Takes a job off the list that this transaction added.
pub(crate) async fn take_back(tx: &mut HostTx, id: JobId) -> Result<(), sqlx::Error> {
    sqlx::query(TAKE_BACK).bind(id).execute(&mut **tx).await.map(drop)
}

/// The same as [`ADD`] for many in one statement.
const ADD_ALL: &str = "
    insert into behalf.jobs (id, lane, kind, identity, payload, unique_key, state, run_at, max_attempts)
    select id, lane, kind, identity, payload, unique_key, case when delay > 0 then 'delayed' else 'ready' end,
        now() + delay * interval '1 second', max_attempts
    from unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::text[], $7::double precision[], $8::integer[])
        as new (id, lane, kind, identity, payload, unique_key, delay, max_attempts)
    on conflict (kind, unique_key) where unique_key is not null and state in ('ready', 'delayed', 'running') do nothing";

/// Adds many jobs. Returns how many; the others have unique keys of jobs that are there.
pub(crate) async fn add_all(
    tx: &mut HostTx,
    sealed: &[(JobId, Json)],
    jobs: &[NewJob<'_>],
) -> Result<u64, sqlx::Error> {
    fn column<'a, T>(jobs: &'a [NewJob<'a>], read: impl Fn(&'a NewJob<'a>) -> T) -> Vec<T> {
        jobs.iter().map(read).collect()
    }
    let (ids, identities): (Vec<_>, Vec<_>) = sealed.iter().map(|(id, identity)| (*id, identity)).unzip();
    let added = sqlx::query(ADD_ALL)
        .bind(ids)
        .bind(column(jobs, |job| job.lane))
        .bind(column(jobs, |job| job.kind))
        .bind(identities)
        .bind(column(jobs, |job| &job.payload))
        .bind(column(jobs, |job| job.unique_key))
        .bind(column(jobs, |job| job.delay.as_secs_f64()))
        .bind(column(jobs, |job| attempts(job)))
        .execute(&mut **tx)
        .await?;
    Ok(added.rows_affected())
}

fn attempts(job: &NewJob<'_>) -> i32 {
    i32::try_from(job.max_attempts.max(1)).unwrap_or(i32::MAX)
}

/// Cancels a job that waits, and asks the host of one that is under way to stop it.
pub(crate) async fn cancel(tx: &mut HostTx, id: JobId) -> Result<Cancel, sqlx::Error> {
    let is_running: Option<bool> = sqlx::query_scalar(CANCEL).bind(id).fetch_optional(&mut **tx).await?;
    Ok(match is_running {
        Some(true) => Cancel::Asked,
        Some(false) => Cancel::Ended,
        None => Cancel::None,
    })
}
