//! Writes down what a run did before the run does the next thing, so that another host can resume it.

use std::sync::Arc;
use std::time::Duration;

use backon::Retryable;
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use serde_json::Value;
use tokio::sync::Mutex;

use super::error::LeaseLost;
use super::records::{JournalEntry, WrittenEntry};
use super::retry::doubling;
use crate::store::{JournalStore, RunLease};
use crate::text::storable;

/// Attempts to write an entry again.
const RETRIES: usize = 4;

/// A run's journal.
#[derive(Debug)]
pub(crate) struct Journal {
    store: JournalStore,
    principal: Arc<Principal>,
    lease: RunLease,
    next: Mutex<i32>,
}

impl Journal {
    /// A journal that holds so many entries already.
    pub(crate) fn new(store: JournalStore, principal: Arc<Principal>, lease: RunLease, entries: usize) -> Self {
        Self { store, principal, lease, next: Mutex::new(count(entries)) }
    }

    /// Writes entries down.
    pub(crate) async fn write(&self, entries: &[JournalEntry], worked: Duration) -> Result<(), LeaseLost> {
        let entries = to_json(entries, worked).map_err(|_| LeaseLost)?;
        // Held while it is written: the numbers have no holes.
        let mut next = self.next.lock().await;
        let first = *next;
        let append = || self.store.append(&self.principal, &self.lease, first, &entries);
        let written = append
            .retry(doubling(RETRIES))
            .when(|error| !is_written(error))
            .notify(|error, _| {
                tracing::warn!(run.id = %self.lease.run_id, error = error.log_text(), "cannot write a run's journal; trying again");
            })
            .await;
        match written {
            Ok(true) => {}
            Err(error) if is_written(&error) => {}
            Ok(false) | Err(_) => return Err(LeaseLost),
        }
        *next = first.saturating_add(count(entries.len()));
        Ok(())
    }
}

/// Whether an entry of this number is there: an earlier attempt wrote it and its answer was lost, because only the host with
/// the lease writes.
fn is_written(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if error.is_unique_violation())
}

fn to_json(entries: &[JournalEntry], worked: Duration) -> Result<Vec<Value>, serde_json::Error> {
    let worked_ms = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
    let one =
        |entry: &JournalEntry| serde_json::to_value(WrittenEntry { entry: entry.clone(), worked_ms }).map(storable);
    entries.iter().map(one).collect()
}

fn count(entries: usize) -> i32 {
    i32::try_from(entries).unwrap_or(i32::MAX)
}
