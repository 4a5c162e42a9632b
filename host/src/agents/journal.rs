//! What a run did, written down before the next thing is done, so that another host can go on from there.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::event::storable;
use super::recorder::Gone;
use super::transcript::{CallRecord, StepRecord};
use crate::db::{Db, Hold};
use crate::identity::Principal;
use crate::models::{Message, ToolCall, Usage};

/// Tries to write, with a pause that doubles each time.
const TRIES: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// One thing that a run did.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Entry {
    /// The model answered and wants calls made.
    Turn { text: String, calls: Vec<ToolCall>, reasoning: Option<String>, usage: Usage, record: StepRecord },
    /// A call that may change something is about to be made.
    Begun { step: u32, call_id: String },
    /// A call returned.
    Result { step: u32, message: Message, record: CallRecord, delegated_tokens: u64 },
    /// The model failed and another one goes on.
    Fallback { model: String },
}

/// An entry and how long the run had worked by then.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Written {
    #[serde(flatten)]
    pub(super) entry: Entry,
    pub(super) worked_ms: u64,
}

/// A run's journal.
#[derive(Debug)]
pub(super) struct Journal {
    db: Db,
    principal: Arc<Principal>,
    hold: Hold,
    next: Mutex<i32>,
}

impl Journal {
    /// A journal that holds so many entries already.
    pub(super) fn new(db: Db, principal: Arc<Principal>, hold: Hold, entries: usize) -> Self {
        Self { db, principal, hold, next: Mutex::new(i32::try_from(entries).unwrap_or(i32::MAX)) }
    }

    /// Writes entries down. The error says that the run is no longer this host's, or the database is away.
    pub(super) async fn write(&self, entries: &[Entry], worked: Duration) -> Result<(), Gone> {
        let worked_ms = u64::try_from(worked.as_millis()).unwrap_or(u64::MAX);
        let json: Vec<_> = entries
            .iter()
            .map(|entry| serde_json::to_value(Written { entry: entry.clone(), worked_ms }).map(storable))
            .collect::<Result<_, _>>()
            .map_err(|_| Gone)?;
        // Held while it is written: places have no holes.
        let mut next = self.next.lock().await;
        let mut pause = FIRST_PAUSE;
        for _ in 0..TRIES {
            match self.db.append_journal(&self.principal, &self.hold, *next, &json).await {
                Ok(true) => {
                    *next = next.saturating_add(i32::try_from(json.len()).unwrap_or(i32::MAX));
                    return Ok(());
                }
                Ok(false) => return Err(Gone),
                // Written, though the answer to it was lost: nobody else writes to this place.
                Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                    *next = next.saturating_add(i32::try_from(json.len()).unwrap_or(i32::MAX));
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(run.id = %self.hold.run_id, error = %error, "cannot write a run's journal; trying again");
                }
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        Err(Gone)
    }
}
