//! What hosts do for jobs that no host works on: delayed ones become ready, those of dead hosts ready again, cancelled ones end, and
//! ended ones go.

use std::time::Duration;

use behalf_host_db::HostDb;
use sqlx::FromRow;
use uuid::Uuid;

use super::claim::{Claimed, claimed};
use super::lease::JobLease;

/// Rows of one transaction, so that nobody waits long for them.
const BATCH: i64 = 5_000;

/// Rows of one transaction that other hosts may want as well.
const SMALL_BATCH: i64 = 500;

/// Seconds after which a host ends a job of a kind that it does not know, without telling its feature: hosts that know the kind do it
/// within a second or so, and where there is none, nobody else would.
const UNKNOWN_AFTER: f64 = 60.0;

/// How long it is remembered when an owner was served who has no jobs.
const OWNERS_KEPT: Duration = Duration::from_hours(1);

/// What there is to do.
#[derive(Clone, Debug, Default, FromRow)]
#[expect(clippy::struct_excessive_bools, reason = "each is an answer of one statement, and none depends on another")]
pub(crate) struct Look {
    /// Delayed jobs whose time has come.
    pub(crate) has_delayed: bool,
    /// Jobs under way whose lease has run out.
    pub(crate) has_expired: bool,
    /// Jobs that were cancelled while they waited.
    pub(crate) has_cancelled: bool,
    /// Work of the host's own whose time has come.
    pub(crate) has_due: bool,
    /// Lanes in which jobs wait.
    pub(crate) lanes: Vec<String>,
}

const LOOK: &str = "
    select exists (select from behalf.jobs where state = 'delayed' and run_at <= now()) as has_delayed,
           exists (select from behalf.jobs where state = 'running' and leased_until < now()) as has_expired,
           exists (select from behalf.jobs where cancel_asked_at is not null and state in ('ready', 'delayed')) as has_cancelled,
           exists (select from behalf.schedules where kind = any($2) and next_at <= now()) as has_due,
           array(select lane from unnest($1::text[]) as of_host (lane)
                 where exists (select from behalf.job_owners o where o.lane = of_host.lane and o.waits)) as lanes";

const PROMOTE: &str = "
    update behalf.jobs set state = 'ready' where id in (
        select id from behalf.jobs where state = 'delayed' and run_at <= now()
        order by run_at limit $1 for update skip locked)";

/// Not those that this host works on: it renews their leases as soon as the database answers again.
const GIVE_BACK: &str = "
    update behalf.jobs set state = 'ready', host_id = null, leased_until = null, progress = null where id in (
        select j.id from behalf.jobs j
        where j.state = 'running' and j.leased_until < now() and j.attempts < j.max_attempts
            and not exists (select from unnest($1::uuid[], $2::bigint[]) as mine (id, epoch)
                            where mine.id = j.id and mine.epoch = j.epoch and j.host_id = $3)
        order by j.leased_until limit $4 for update skip locked)";

/// A job whose host was lost in its last attempt, or that was cancelled while it waited. This host has it then, to end it.
const TAKE_TO_END: &str = concat!(
    "update behalf.jobs j
     set state = 'running', epoch = j.epoch + 1, host_id = $3, leased_until = now() + $4 * interval '1 second'
     where j.id = coalesce(
        (select c.id from behalf.jobs c
         where c.state in ('ready', 'delayed') and c.cancel_asked_at is not null
            and (c.kind = any($5) or c.cancel_asked_at < now() - $6 * interval '1 second')
         limit 1 for update skip locked),
        (select c.id from behalf.jobs c
         where c.state = 'running' and c.leased_until < now() and c.attempts >= c.max_attempts
            and (c.kind = any($5) or c.leased_until < now() - $6 * interval '1 second')
            and not exists (select from unnest($1::uuid[], $2::bigint[]) as mine (id, epoch)
                            where mine.id = c.id and mine.epoch = c.epoch and c.host_id = $3)
         limit 1 for update skip locked))
     returning ",
    claimed!()
);

const PRUNE: &str = "
    delete from behalf.jobs where id in (
        select id from behalf.jobs
        where state in ('dead', 'cancelled') and ended_at < now() - $1 * interval '1 second'
        order by ended_at limit $2 for update skip locked)";

const PRUNE_OWNERS: &str = "
    delete from behalf.job_owners o using (
        select lane, owner from behalf.job_owners
        where ready = 0 and running = 0 and served_at < now() - $1 * interval '1 second' limit $2 for update skip locked) gone
    where o.lane = gone.lane and o.owner = gone.owner";

/// Looks, in one statement, because hosts look all the time.
pub(crate) async fn look(db: &HostDb, lanes: &[String], scheduled: &[String]) -> Result<Look, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let look = sqlx::query_as(LOOK).bind(lanes).bind(scheduled).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok(look)
}

/// Makes delayed jobs ready whose time has come.
pub(crate) async fn promote(db: &HostDb) -> Result<(), sqlx::Error> {
    loop {
        let mut tx = db.begin_as_host().await?;
        let promoted = sqlx::query(PROMOTE).bind(SMALL_BATCH).execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        if promoted < SMALL_BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}

/// Makes jobs ready again whose hosts are lost, unless that was their last attempt. Returns how many there were.
pub(crate) async fn give_back(db: &HostDb, mine: &[JobLease], host: Uuid) -> Result<u64, sqlx::Error> {
    let (ids, epochs): (Vec<_>, Vec<_>) = mine.iter().map(|lease| (lease.id, lease.epoch)).unzip();
    let mut tx = db.begin_as_host().await?;
    let given = sqlx::query(GIVE_BACK).bind(ids).bind(epochs).bind(host).bind(SMALL_BATCH).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(given.rows_affected())
}

/// Takes a job that is to end without another attempt; none where there is none.
pub(crate) async fn take_to_end(
    db: &HostDb,
    mine: &[JobLease],
    host: Uuid,
    lease_seconds: f64,
    kinds: &[String],
) -> Result<Option<Claimed>, sqlx::Error> {
    let (ids, epochs): (Vec<_>, Vec<_>) = mine.iter().map(|lease| (lease.id, lease.epoch)).unzip();
    let mut tx = db.begin_as_host().await?;
    let taken = sqlx::query_as(TAKE_TO_END)
        .bind(ids)
        .bind(epochs)
        .bind(host)
        .bind(lease_seconds)
        .bind(kinds)
        .bind(UNKNOWN_AFTER)
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(taken)
}

/// Deletes jobs that ended so long ago, and what is remembered of owners without jobs.
pub(crate) async fn prune(db: &HostDb, kept_ended: Option<Duration>) -> Result<(), sqlx::Error> {
    if let Some(kept) = kept_ended {
        in_batches(db, PRUNE, kept).await?;
    }
    in_batches(db, PRUNE_OWNERS, OWNERS_KEPT).await
}

async fn in_batches(db: &HostDb, statement: &'static str, kept: Duration) -> Result<(), sqlx::Error> {
    loop {
        let mut tx = db.begin_as_host().await?;
        let gone = sqlx::query(statement).bind(kept.as_secs_f64()).bind(BATCH).execute(&mut *tx).await?;
        tx.commit().await?;
        if gone.rows_affected() < BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}

/// How many jobs of a lane wait and are under way.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct LaneCounts {
    /// The lane.
    pub(crate) lane: String,
    /// Jobs that wait for a place.
    pub(crate) ready: i64,
    /// Jobs under way.
    pub(crate) running: i64,
    /// Jobs that failed for good and are kept.
    pub(crate) dead: i64,
}

const COUNT: &str = "
    select of_host.lane, coalesce(sum(o.ready), 0)::bigint as ready, coalesce(sum(o.running), 0)::bigint as running,
        (select count(*) from behalf.jobs j where j.state = 'dead' and j.lane = of_host.lane) as dead
    from unnest($1::text[]) as of_host (lane) left join behalf.job_owners o on o.lane = of_host.lane and (o.ready > 0 or o.running > 0)
    group by of_host.lane";

/// Counts the jobs of these lanes, for metrics.
pub(crate) async fn counts(db: &HostDb, lanes: &[String]) -> Result<Vec<LaneCounts>, sqlx::Error> {
    let mut tx = db.begin_as_host().await?;
    let counts = sqlx::query_as(COUNT).bind(lanes).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(counts)
}
