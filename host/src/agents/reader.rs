use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::db::{Db, RunEvent};
use crate::identity::Principal;

/// Events that are read at once.
const BATCH: i64 = 200;
/// How often a run of another host is looked at.
const POLL: Duration = Duration::from_millis(300);
/// How often a run of this host is looked at, in case that a wake-up was missed.
const LOCAL_POLL: Duration = Duration::from_secs(5);

/// Reads a run's events as they are stored, on whichever host the run is.
#[derive(Debug)]
pub struct EventReader {
    db: Db,
    principal: Arc<Principal>,
    run_id: String,
    last: i64,
    wake: Option<watch::Receiver<i64>>,
}

/// What came.
#[derive(Debug)]
pub enum Followed {
    /// The next events.
    Events(Vec<RunEvent>),
    /// Nothing so far.
    Silence,
    /// The run is over and everything was read, or it is gone.
    End,
    /// The caller's token ended; the rest is for whoever comes with a new one.
    Expired,
}

impl EventReader {
    pub(super) fn new(
        db: Db,
        principal: Arc<Principal>,
        run_id: String,
        after: i64,
        wake: Option<watch::Receiver<i64>>,
    ) -> Self {
        Self { db, principal, run_id, last: after, wake }
    }

    /// Waits for events, at most for `patience`.
    pub async fn next(&mut self, patience: Duration) -> Result<Followed, sqlx::Error> {
        let until = Instant::now() + patience;
        loop {
            if self.principal.expires_at().is_some_and(|end| end <= chrono::Utc::now().timestamp()) {
                return Ok(Followed::Expired);
            }
            if let Some(wake) = &mut self.wake {
                wake.mark_unchanged();
            }
            let found = self.db.run_events(&self.principal, &self.run_id, self.last, BATCH).await?;
            if let Some(event) = found.events.last() {
                self.last = event.seq;
                return Ok(Followed::Events(found.events));
            }
            if !found.is_unfinished() {
                return Ok(Followed::End);
            }
            if Instant::now() >= until {
                return Ok(Followed::Silence);
            }
            self.wait(until).await;
        }
    }

    async fn wait(&mut self, until: Instant) {
        let Some(wake) = &mut self.wake else {
            return tokio::time::sleep_until(until.min(Instant::now() + POLL)).await;
        };
        let woken = tokio::time::timeout_at(until.min(Instant::now() + LOCAL_POLL), wake.changed()).await;
        if matches!(woken, Ok(Err(_))) {
            // The run left this host.
            self.wake = None;
        }
    }
}
