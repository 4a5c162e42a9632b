//! Reads a run's events as they are stored, on whichever host the run is.

use std::sync::Arc;
use std::time::Duration;

use behalf_identity::Principal;
use tokio::time::{Instant, timeout_at};

use crate::store::{RunEvent, RunEventStore, RunFollower};

/// Events that are read at once.
const BATCH: i64 = 200;

/// Reads the events of one run. While it waits, it asks the database nothing.
#[derive(Debug)]
pub(crate) struct EventReader {
    events: RunEventStore,
    principal: Arc<Principal>,
    run_id: String,
    last: i64,
    follower: RunFollower,
    /// There may be events that were not read.
    behind: bool,
}

/// What a wait for events brought.
#[derive(Debug)]
pub(crate) enum Followed {
    /// The next events.
    Events(Vec<RunEvent>),
    /// Nothing so far.
    Silence,
    /// The run is over and everything was read, or it is gone.
    End,
    /// The caller's token expired; a new token may read on.
    Expired,
}

impl EventReader {
    /// Reads events after number `after`.
    pub(crate) fn new(
        events: RunEventStore,
        follower: RunFollower,
        principal: Arc<Principal>,
        run_id: String,
        after: i64,
    ) -> Self {
        Self { events, principal, run_id, last: after, follower, behind: true }
    }

    /// The run whose events it reads.
    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The events that there are and were not read; `Silence` where there are none so far.
    pub(crate) async fn rest(&mut self) -> Result<Followed, sqlx::Error> {
        self.behind = true;
        self.next(Duration::ZERO).await
    }

    /// Waits for events, at most for `patience`.
    pub(crate) async fn next(&mut self, patience: Duration) -> Result<Followed, sqlx::Error> {
        let until = Instant::now() + patience;
        loop {
            let Some(life) = self.token_lifetime() else { return Ok(Followed::Expired) };
            if self.behind {
                self.follower.mark_seen();
                let found = self.events.after(&self.principal, &self.run_id, self.last, BATCH).await?;
                if let Some(event) = found.events.last() {
                    self.last = event.seq;
                    return Ok(Followed::Events(found.events));
                }
                if !found.is_unfinished() {
                    return Ok(Followed::End);
                }
                self.behind = false;
            }
            let end = Instant::now().checked_add(life).map_or(until, |end| end.min(until));
            self.behind = timeout_at(end, self.follower.changed()).await.is_ok();
            if !self.behind && Instant::now() >= until {
                return Ok(Followed::Silence);
            }
        }
    }

    /// How long the caller's token is still valid; none where it has expired.
    fn token_lifetime(&self) -> Option<Duration> {
        let Some(end) = self.principal.expires_at() else { return Some(Duration::MAX) };
        let left = end.checked_sub(chrono::Utc::now().timestamp()).filter(|left| *left > 0)?;
        u64::try_from(left).ok().map(Duration::from_secs)
    }
}
