//! Tables `ai.run_work` and `ai.run_journal`: what a host needs to go on with a run that another one began.

use serde_json::Value as Json;
use sqlx::Row;

use super::leases::{Hold, is_held};
use super::runs::read_history;
use super::{Db, HostTx};
use crate::identity::Principal;

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
