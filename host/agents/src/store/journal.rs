//! Table `ai.run_journal`: what a run did, so that another host can resume it without doing anything twice.

use behalf_host_db::HostDb;
use behalf_identity::Principal;
use serde_json::Value as Json;

use super::run_lease::{RunLease, is_held};

/// What became of a tool call that a host began and did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitOutcome {
    /// The call committed nothing.
    NotCommitted,
    /// A transaction of the call is neither committed nor rolled back yet.
    Pending,
    /// A transaction of the call was committed.
    Committed,
}

/// The table of journals.
#[derive(Clone, Debug)]
pub(crate) struct JournalStore {
    db: HostDb,
}

impl JournalStore {
    /// The store in this database.
    pub(crate) fn new(db: HostDb) -> Self {
        Self { db }
    }

    /// Adds entries to a run's journal with numbers from `first` on. False where the lease is lost.
    pub(crate) async fn append(
        &self,
        principal: &Principal,
        lease: &RunLease,
        first: i32,
        entries: &[Json],
    ) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(principal).await?;
        let ours = is_held(&mut tx, lease).await?;
        if ours {
            sqlx::query(
                "insert into ai.run_journal (run_id, seq, user_id, entry)
                 select $1, $2 + n::integer - 1, $3, entry from jsonb_array_elements($4) with ordinality as given (entry, n)",
            )
            .bind(&lease.run_id)
            .bind(first)
            .bind(principal.subject())
            .bind(sqlx::types::Json(entries))
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(ours)
    }

    /// What became of a model's call that a host began and did not end. A host announces a commit in the audit log with the
    /// transaction's number before it makes the commit, and Postgres knows how each transaction ended.
    pub(crate) async fn commit_outcome(
        &self,
        run_id: &str,
        step: i32,
        model_call_id: &str,
    ) -> Result<CommitOutcome, sqlx::Error> {
        let mut tx = self.db.begin_as_host().await?;
        let statuses: Vec<Option<String>> = sqlx::query_scalar(
            "select pg_xact_status(number)
             from ai.tool_calls c, unnest(c.transaction_ids) as number
             where c.run_id = $1 and c.step = $2 and c.model_call_id = $3",
        )
        .bind(run_id)
        .bind(step)
        .bind(model_call_id)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(CommitOutcome::of(&statuses))
    }
}

impl CommitOutcome {
    /// The outcome of a call whose transactions have these statuses.
    fn of(statuses: &[Option<String>]) -> Self {
        let mut outcome = Self::NotCommitted;
        for status in statuses {
            match status.as_deref() {
                Some("aborted") => {}
                Some("in progress") if outcome == Self::Committed => {}
                Some("in progress") => outcome = Self::Pending,
                // A transaction that is so old that Postgres has forgotten it counts as committed: repeating could do harm.
                Some(_) | None => outcome = Self::Committed,
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_counts_more_than_a_transaction_that_goes_on() {
        let outcome = |statuses: &[&str]| {
            CommitOutcome::of(&statuses.iter().map(|status| Some((*status).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(outcome(&[]), CommitOutcome::NotCommitted);
        assert_eq!(outcome(&["aborted"]), CommitOutcome::NotCommitted);
        assert_eq!(outcome(&["aborted", "in progress"]), CommitOutcome::Pending);
        assert_eq!(outcome(&["in progress", "committed"]), CommitOutcome::Committed);
        assert_eq!(outcome(&["committed", "in progress"]), CommitOutcome::Committed);
        assert_eq!(CommitOutcome::of(&[None]), CommitOutcome::Committed);
    }
}
