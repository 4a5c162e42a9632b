//! Table `ai.run_events`: what happened in a run, numbered from 1. A number is written once, so two hosts that believe
//! to work on one run cannot both go on.

use std::sync::Arc;

use behalf_host_db::{HostDb, HostTx};
use behalf_identity::Principal;
use serde_json::Value as Json;
use sqlx::FromRow;
use uuid::Uuid;

use super::run_lease::{RunLease, is_held};
use super::run_notifier::RunNotifier;

/// An event as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct RunEvent {
    /// Its number.
    pub(crate) seq: i64,
    /// Its JSON.
    pub(crate) json: String,
}

/// Events that follow others.
#[derive(Clone, Debug)]
pub(crate) struct RunEvents {
    /// Oldest first.
    pub(crate) events: Vec<RunEvent>,
    /// The run's status; none where the caller sees no such run.
    pub(crate) status: Option<String>,
}

impl RunEvents {
    /// Whether more may come.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status == "running" || status == "pending")
    }
}

/// A row of the answer to [`RunEventStore::after`]: the run's status, and one of its events where there is one.
#[derive(Debug, FromRow)]
struct EventRow {
    status: String,
    seq: Option<i64>,
    event: Option<String>,
}

/// The table of events.
#[derive(Clone, Debug)]
pub(crate) struct RunEventStore {
    db: HostDb,
    notifier: Arc<RunNotifier>,
}

impl RunEventStore {
    /// The store in this database. It tells followers through `notifier` what was stored.
    pub(crate) fn new(db: HostDb, notifier: Arc<RunNotifier>) -> Self {
        Self { db, notifier }
    }

    /// Stores events with numbers from `first` on; false where the run is no longer this host's.
    pub(crate) async fn append(
        &self,
        principal: &Principal,
        lease: &RunLease,
        first: i64,
        events: &[Json],
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let ours = is_held(&mut tx, lease).await?;
        if ours {
            insert_events(&mut tx, principal.subject(), &lease.run_id, first, events).await?;
        }
        tx.commit().await?;
        self.notifier.publish(lease);
        Ok(ours)
    }

    /// Events after number `after`, oldest first, no more than `limit`.
    pub(crate) async fn after(
        &self,
        principal: &Principal,
        run_id: &str,
        after: i64,
        limit: i64,
    ) -> Result<RunEvents, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        // One statement, so that a final status is never seen without the events that were stored with it.
        let rows: Vec<EventRow> = sqlx::query_as(
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
        let status = rows.first().map(|row| row.status.clone());
        let event = |row: EventRow| Some(RunEvent { seq: row.seq?, json: row.event? });
        Ok(RunEvents { events: rows.into_iter().filter_map(event).collect(), status })
    }
}

/// Adds events of the user's run with numbers from `first` on, in the transaction of the change that they tell of.
pub(super) async fn insert_events(
    tx: &mut HostTx,
    user_id: Option<Uuid>,
    run_id: &str,
    first: i64,
    events: &[Json],
) -> Result<(), sqlx::Error> {
    if events.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into ai.run_events (run_id, seq, user_id, event)
         select $1, $2 + n - 1, $3, event from jsonb_array_elements($4) with ordinality as given (event, n)",
    )
    .bind(run_id)
    .bind(first)
    .bind(user_id)
    .bind(sqlx::types::Json(events))
    .execute(&mut **tx)
    .await
    .map(|_| ())
}
