//! Table `ai.run_events`: what happened in a run, numbered from 1. A number is written once, so two hosts that believe
//! to work on one run cannot both go on.

use serde_json::Value as Json;
use sqlx::Row;

use super::leases::{Hold, is_held};
use super::{Db, HostTx};
use crate::identity::Principal;

/// An event as it is stored.
#[derive(Clone, Debug)]
pub struct RunEvent {
    /// Its number.
    pub seq: i64,
    /// Its JSON.
    pub json: String,
}

/// Events that follow others.
#[derive(Clone, Debug)]
pub struct RunEvents {
    /// Oldest first.
    pub events: Vec<RunEvent>,
    /// The run's status; none where the caller sees no such run.
    pub status: Option<String>,
}

impl RunEvents {
    /// Whether more may come.
    pub fn is_unfinished(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status == "running" || status == "pending")
    }
}

impl Db {
    /// Stores events with numbers from `first` on; false where the run is no longer this host's.
    pub async fn append_run_events(
        &self,
        principal: &Principal,
        hold: &Hold,
        first: i64,
        events: &[Json],
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let ours = is_held(&mut tx, hold).await?;
        if ours {
            insert_events(&mut tx, principal, &hold.run_id, first, events).await?;
        }
        tx.commit().await?;
        self.news.tell(&hold.run_id);
        Ok(ours)
    }

    /// Events after number `after`, oldest first, no more than `limit`.
    pub async fn run_events(
        &self,
        principal: &Principal,
        run_id: &str,
        after: i64,
        limit: i64,
    ) -> Result<RunEvents, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        // One statement, so that a final status is never seen without the events that were stored with it.
        let rows = sqlx::query(
            "select r.status, e.seq, e.event::text as event
             from ai.agent_runs r
             left join lateral (
                select seq, event from ai.run_events where run_id = r.run_id and seq > $2 order by seq limit $3
             ) e on true
             where r.run_id = $1 order by e.seq",
        )
        .bind(run_id)
        .bind(after)
        .bind(limit)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        let status = rows.first().map(|row| row.try_get("status")).transpose()?;
        let mut events = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some(seq) = row.try_get("seq")? {
                events.push(RunEvent { seq, json: row.try_get("event")? });
            }
        }
        Ok(RunEvents { events, status })
    }
}

pub(super) async fn insert_events(
    tx: &mut HostTx,
    principal: &Principal,
    run_id: &str,
    first: i64,
    events: &[Json],
) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into ai.run_events (run_id, seq, user_id, event)
         select $1, $2 + place - 1, $3, event from jsonb_array_elements($4) with ordinality as given (event, place)",
    )
    .bind(run_id)
    .bind(first)
    .bind(principal.subject())
    .bind(sqlx::types::Json(events))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}
