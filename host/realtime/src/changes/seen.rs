//! How far this host has seen the log. After a change of the leader some of it is read again.

use std::sync::{Mutex, PoisonError};

use behalf_replication::Position;
use uuid::Uuid;

use super::batch::{Batch, Origin};

/// The position of the last row that was taken, and of which leader's new log.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<(Option<Position>, Option<Uuid>)>);

impl Seen {
    /// A new log begins.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = None;
    }

    /// Takes out of a batch what was seen before. `origin` is the other host that it comes from.
    pub(super) fn retain(&self, batch: &mut Batch, origin: Option<Origin>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(origin) = origin.filter(|origin| origin.is_new_log)
            && seen.1 != Some(origin.leader)
        {
            *seen = (None, Some(origin.leader));
        }
        batch.rows.retain(|row| seen.0.is_none_or(|last| row.position > last));
        if let Some(last) = batch.rows.last() {
            seen.0 = Some(last.position);
        }
    }
}
