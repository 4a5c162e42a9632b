//! Tables `ai.run_work` and `ai.run_journal`: what a host needs to go on with a run that another one began.

use serde_json::Value as Json;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::runs::read_history;
use super::{Db, HostTx};
use crate::identity::Principal;

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

/// How a call ended that was begun and has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It committed nothing.
    Nothing,
    /// A transaction of it is neither committed nor rolled back yet.
    Pending,
    /// Some of it was committed.
    Committed,
}

/// Hosts that may try a run before it is given up: whatever ended them could be the run itself.
pub(super) const MAX_TAKEOVERS: i32 = 5;

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
    /// Adds entries to a run's journal from this place on; false where the run is no longer this host's.
    pub async fn append_journal(
        &self,
        principal: &Principal,
        hold: &Hold,
        place: i32,
        entries: &[Json],
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let ours = is_held(&mut tx, hold).await?;
        if ours {
            sqlx::query(
                "insert into ai.run_journal (run_id, place, user_id, entry)
                 select $1, $2 + n::integer - 1, $3, entry from jsonb_array_elements($4) with ordinality as given (entry, n)",
            )
            .bind(&hold.run_id)
            .bind(place)
            .bind(principal.subject())
            .bind(sqlx::types::Json(entries))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(ours)
    }

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

    /// What was said in a conversation before this run.
    pub async fn history_before(
        &self,
        principal: &Principal,
        session: &str,
        run_id: &str,
        bytes: i64,
    ) -> Result<Vec<Vec<Json>>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let history = read_history(&mut tx, session, run_id, bytes).await?;
        tx.commit().await?;
        Ok(history)
    }

    /// What became of a model's call that a host began and did not end. A host's commit is announced in the audit log with the
    /// transaction's number before it is made, and Postgres knows how each transaction ended.
    pub async fn trace_of_call(&self, run_id: &str, step: i32, model_call_id: &str) -> Result<Trace, sqlx::Error> {
        let mut tx = self.begin_as_host().await?;
        let rows = sqlx::query(
            "select pg_xact_status(number) as status
             from ai.tool_calls c, unnest(c.transaction_ids) as number
             where c.run_id = $1 and c.step = $2 and c.model_call_id = $3",
        )
        .bind(run_id)
        .bind(step)
        .bind(model_call_id)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let mut trace = Trace::Nothing;
        for row in &rows {
            match row.try_get::<Option<&str>, _>("status")? {
                Some("in progress") if trace == Trace::Nothing => trace = Trace::Pending,
                Some("aborted" | "in progress") => {}
                // So old that Postgres has forgotten it counts as committed: repeating could do harm.
                Some(_) | None => trace = Trace::Committed,
            }
        }
        Ok(trace)
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

/// Keeps what another host would need.
pub(super) async fn insert_work(
    tx: &mut HostTx,
    principal: &Principal,
    run_id: &str,
    request: &Json,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into ai.run_work (run_id, user_id, identity, request) values ($1, $2, $3, $4)")
        .bind(run_id)
        .bind(principal.subject())
        .bind(principal.to_stored())
        .bind(request)
        .execute(&mut **tx)
        .await
        .map(|_| ())
}

/// Forgets it: the run is over.
pub(super) async fn delete_work(tx: &mut HostTx, run_id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.run_work where run_id = $1").bind(run_id).execute(&mut **tx).await?;
    sqlx::query("delete from ai.run_journal where run_id = $1").bind(run_id).execute(&mut **tx).await?;
    Ok(())
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
