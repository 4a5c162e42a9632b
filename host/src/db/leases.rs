//! Who works on a run: leases that hosts renew, and what becomes of runs whose host is gone.

use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Db, HostTx};

/// A host's hold on a run. It ends when another host takes the run over, and with it every way to write in the run's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hold {
    /// The run.
    pub run_id: String,
    /// Counts the hosts that held it.
    pub epoch: i64,
}

/// A run that lost its host and is this one's now.
#[derive(Clone, Debug)]
pub struct TakenRun {
    /// The hold on it.
    pub hold: Hold,
    /// Its conversation.
    pub session_id: String,
    /// Its agent.
    pub agent_id: Uuid,
    /// Whether the conversation began with it.
    pub is_new_session: bool,
    /// Whose it is, as `Principal::to_stored` wrote it.
    pub identity: Json,
    /// What was asked.
    pub request: Json,
    /// What it did so far, oldest first.
    pub journal: Vec<Json>,
    /// The number of its last event.
    pub last_seq: i64,
}

/// Hosts that may try a run before it is given up: whatever ended them could be the run itself.
const MAX_TAKEOVERS: i32 = 5;

const TAKE: &str = "
    update ai.agent_runs r
    set epoch = r.epoch + 1, takeovers = r.takeovers + 1, lease_until = now() + $1 * interval '1 second'
    from ai.run_work w
    where w.run_id = r.run_id and r.run_id = (
        select f.run_id from ai.agent_runs f join ai.run_work using (run_id)
        where f.status = 'running' and coalesce(f.lease_until, f.started_at) < now() and f.takeovers < $2
        order by f.started_at limit 1
        for update of f skip locked)
    returning r.run_id, r.epoch, r.session_id, r.agent_id, r.is_new_session, w.identity, w.request,
        (select coalesce(max(e.seq), 0) from ai.run_events e where e.run_id = r.run_id) as last_seq,
        (select coalesce(jsonb_agg(j.entry order by j.place), '[]') from ai.run_journal j where j.run_id = r.run_id) as journal";

impl Db {
    /// Takes over a run whose host is gone; none where there is no such run.
    pub async fn take_run(&self, lease_seconds: f64) -> Result<Option<TakenRun>, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let row = sqlx::query(TAKE).bind(lease_seconds).bind(MAX_TAKEOVERS).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        row.as_ref().map(read_taken).transpose()
    }

    /// Gives a run up, so that another host can take it at once.
    pub async fn release_run(&self, hold: &Hold) -> Result<(), sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        sqlx::query(
            "update ai.agent_runs set lease_until = now() where run_id = $1 and epoch = $2 and status = 'running'",
        )
        .bind(&hold.run_id)
        .bind(hold.epoch)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Says that this host still works on these runs.
    pub async fn renew_leases(&self, holds: &[Hold], seconds: f64) -> Result<(), sqlx::Error> {
        let (runs, epochs): (Vec<_>, Vec<_>) = holds.iter().map(|hold| (hold.run_id.as_str(), hold.epoch)).unzip();
        let mut tx = self.begin_as_host().await?;
        sqlx::query(
            "update ai.agent_runs r set lease_until = now() + $3 * interval '1 second'
             from unnest($1::text[], $2::bigint[]) as held (run_id, epoch)
             where r.run_id = held.run_id and r.epoch = held.epoch and r.status = 'running'",
        )
        .bind(runs)
        .bind(epochs)
        .bind(seconds)
        .execute(&mut *tx)
        .await?;
        tx.commit().await
    }

    /// Those of these runs that are not to go on here. True with those that somebody cancelled; the others were ended or taken
    /// over by another host, or deleted.
    pub async fn unwanted_runs(&self, holds: &[Hold]) -> Result<Vec<(String, bool)>, sqlx::Error> {
        let (runs, epochs): (Vec<_>, Vec<_>) = holds.iter().map(|hold| (hold.run_id.as_str(), hold.epoch)).unzip();
        let mut tx = self.begin_as_host().await?;
        let rows = sqlx::query(
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
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// Marks runs failed whose host died and that no other may take over, and adds the events that end them. How many there were.
    pub async fn fail_abandoned_runs(&self, reason: &str) -> Result<u64, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let done = sqlx::query(
            "with dead as (
                update ai.agent_runs set status = 'failed', error = $1, completed_at = now(), lease_until = null,
                    epoch = epoch + 1
                where run_id in (
                    select f.run_id from ai.agent_runs f
                    where f.status in ('pending', 'running') and coalesce(f.lease_until, f.started_at) < now()
                        and (f.takeovers >= $2 or not exists (select from ai.run_work w where w.run_id = f.run_id))
                    for update skip locked)
                returning run_id, session_id, user_id
             ), forgotten as (
                delete from ai.run_work where run_id in (select run_id from dead)
             ), unlearned as (
                delete from ai.run_journal where run_id in (select run_id from dead)
             ), counted as (
                select d.*, (select coalesce(max(e.seq), 0) from ai.run_events e where e.run_id = d.run_id) as last from dead d
             ), last_words as (
                insert into ai.run_events (run_id, seq, user_id, event)
                select run_id, last + 1, user_id, jsonb_build_object('event', 'error', 'type', 'error', 'seq', last + 1,
                    'run_id', run_id, 'error', $1::text, 'message', $1::text) from counted
                union all
                select run_id, last + 2, user_id, jsonb_build_object('event', 'complete', 'type', 'complete', 'seq', last + 2,
                    'run_id', run_id, 'session_id', session_id, 'status', 'failed', 'error', $1::text, 'content', '') from counted
             )
             select count(*) from dead",
        )
        .bind(reason)
        .bind(MAX_TAKEOVERS)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        let count: i64 = done.try_get(0)?;
        Ok(count.unsigned_abs())
    }
}

/// Whether a run is still this host's. Holds the run's row until the transaction ends, so nobody takes it in between.
pub(super) async fn is_held(tx: &mut HostTx, hold: &Hold) -> Result<bool, sqlx::Error> {
    let row =
        sqlx::query("select from ai.agent_runs where run_id = $1 and epoch = $2 and status = 'running' for share")
            .bind(&hold.run_id)
            .bind(hold.epoch)
            .fetch_optional(&mut **tx)
            .await?;
    Ok(row.is_some())
}

fn read_taken(row: &PgRow) -> Result<TakenRun, sqlx::Error> {
    let journal: Json = row.try_get("journal")?;
    Ok(TakenRun {
        hold: Hold { run_id: row.try_get("run_id")?, epoch: row.try_get("epoch")? },
        session_id: row.try_get("session_id")?,
        agent_id: row.try_get("agent_id")?,
        is_new_session: row.try_get("is_new_session")?,
        identity: row.try_get("identity")?,
        request: row.try_get("request")?,
        journal: match journal {
            Json::Array(entries) => entries,
            _ => Vec::new(),
        },
        last_seq: row.try_get("last_seq")?,
    })
}
