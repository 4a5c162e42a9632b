//! Leases on runs, in columns of `ai.agent_runs`: a host renews the lease of each run that it works on, and another host
//! reclaims a run whose lease has run out.

use behalf_caller_db::CommitGuard;
use behalf_host_db::{HostDb, HostTx};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value as Json;
use sqlx::FromRow;
use sqlx::types::Json as Decoded;
use uuid::Uuid;

/// A host's lease on a run. It is lost when another host reclaims the run; the loser can then store nothing for the run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, FromRow)]
pub(crate) struct RunLease {
    /// The run.
    pub(crate) run_id: String,
    /// Counts the hosts that had the run.
    pub(crate) epoch: i64,
    /// Whether its events are messages of its user's channel as well.
    pub(crate) is_mirrored: bool,
}

/// A run that had lost its host and is this host's now.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ReclaimedRun {
    /// The lease on it.
    #[sqlx(flatten)]
    pub(crate) lease: RunLease,
    /// Its session.
    pub(crate) session_id: String,
    /// Its agent.
    pub(crate) agent_id: Uuid,
    /// Whether the session began with it.
    pub(crate) is_new_session: bool,
    /// The caller, as `PrincipalSeal` sealed it for this run.
    pub(crate) identity: Json,
    /// What was asked.
    pub(crate) request: Json,
    /// The entries of its journal, oldest first.
    pub(crate) journal: Decoded<Vec<Json>>,
    /// The number of its last event.
    pub(crate) last_seq: i64,
}

/// A run that is not to go on at this host.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct UnwantedRun {
    /// The run.
    pub(crate) run_id: String,
    /// Whether somebody cancelled it. Otherwise another host ended or reclaimed it, or it was deleted.
    pub(crate) cancelled: bool,
}

/// Hosts that may resume a run before it is given up: the run itself may be what ended them.
pub(super) const MAX_TAKEOVERS: i32 = 5;

const RECLAIM: &str = "
    update ai.agent_runs r
    set epoch = r.epoch + 1, takeovers = r.takeovers + 1, lease_until = now() + $1 * interval '1 second'
    from ai.run_resume_state s
    where s.run_id = r.run_id and r.run_id = (
        select f.run_id from ai.agent_runs f join ai.run_resume_state using (run_id)
        where f.status = 'running' and coalesce(f.lease_until, f.started_at) < now() and f.takeovers < $2
        order by f.started_at limit 1
        for update of f skip locked)
    returning r.run_id, r.epoch, r.is_mirrored, r.session_id, r.agent_id, r.is_new_session, s.identity, s.request,
        (select coalesce(max(e.seq), 0) from ai.run_events e where e.run_id = r.run_id) as last_seq,
        (select coalesce(jsonb_agg(j.entry order by j.seq), '[]') from ai.run_journal j where j.run_id = r.run_id) as journal";

/// The leases on runs.
#[derive(Clone, Debug)]
pub(crate) struct RunLeaseStore {
    db: HostDb,
}

impl RunLeaseStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Reclaims a run whose lease has run out; none where there is no such run.
    pub(crate) async fn reclaim(&self, lease_seconds: f64) -> Result<Option<ReclaimedRun>, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let run = sqlx::query_as(RECLAIM).bind(lease_seconds).bind(MAX_TAKEOVERS).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        Ok(run)
    }

    /// Gives a lease up, so that another host can reclaim the run at once.
    pub(crate) async fn release(&self, lease: &RunLease) -> Result<(), sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        sqlx::query(
            "update ai.agent_runs set lease_until = now() where run_id = $1 and epoch = $2 and status = 'running'",
        )
        .bind(&lease.run_id)
        .bind(lease.epoch)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Renews leases of this host; false where it has to be done again soon. A run whose row is locked is left out, so that a
    /// tool's commit that takes long keeps no other run from being renewed. Nobody reclaims a run whose row is locked.
    pub(crate) async fn renew(&self, leases: &[RunLease], seconds: f64) -> Result<bool, sqlx::Error> {
        let (runs, epochs) = columns(leases);
        let mut tx = self.db.begin_as_host().await?;
        let locked: bool = sqlx::query_scalar(
            "with held as (
                select r.run_id from ai.agent_runs r
                join unnest($1::text[], $2::bigint[]) as mine (run_id, epoch) on r.run_id = mine.run_id and r.epoch = mine.epoch
                where r.status = 'running'
             ), free as (
                select run_id from ai.agent_runs where run_id in (select run_id from held) for no key update skip locked
             ), renewed as (
                update ai.agent_runs r set lease_until = now() + $3 * interval '1 second' from free
                where r.run_id = free.run_id returning r.run_id
             )
             select (select count(*) from renewed) < (select count(*) from held)",
        )
        .bind(runs)
        .bind(epochs)
        .bind(seconds)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(!locked)
    }

    /// Those of these runs that are not to go on at this host.
    pub(crate) async fn unwanted(&self, leases: &[RunLease]) -> Result<Vec<UnwantedRun>, sqlx::Error> {
        let (runs, epochs) = columns(leases);
        let mut tx = self.db.begin_as_host().await?;
        let unwanted = sqlx::query_as(
            "select held.run_id, r.run_id is not null and r.epoch = held.epoch and r.status = 'running' as cancelled
             from unnest($1::text[], $2::bigint[]) as held (run_id, epoch)
             left join ai.agent_runs r on r.run_id = held.run_id
             where r.run_id is null or r.epoch <> held.epoch or r.status <> 'running' or r.cancel_requested_at is not null",
        )
        .bind(runs)
        .bind(epochs)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(unwanted)
    }
}

impl CommitGuard for RunLease {
    /// A tool's transaction may commit while the run is still this host's.
    fn may_commit<'a>(&'a self, tx: &'a mut HostTx) -> BoxFuture<'a, Result<bool, sqlx::Error>> {
        is_held(tx, self).boxed()
    }
}

/// Whether this host still has the lease. Locks the run's row until the transaction ends, so that nobody reclaims the run in
/// between.
pub(super) async fn is_held(tx: &mut HostTx, lease: &RunLease) -> Result<bool, sqlx::Error> {
    let row =
        sqlx::query("select from ai.agent_runs where run_id = $1 and epoch = $2 and status = 'running' for share")
            .bind(&lease.run_id)
            .bind(lease.epoch)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.is_some())
}

/// Run ids and epochs, for `unnest`.
fn columns(leases: &[RunLease]) -> (Vec<&str>, Vec<i64>) {
    leases.iter().map(|lease| (lease.run_id.as_str(), lease.epoch)).unzip()
}
