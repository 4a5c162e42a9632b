//! Follows and cancels runs, on whichever host they are.

use std::sync::Arc;
use std::time::Duration;

use behalf_identity::{Principal, VerifyError};
use behalf_problem::LogText as _;
use tokio::time::Instant;

use super::active_runs::{ActiveRuns, StopReason};
use super::error::WaitError;
use super::reader::{EventReader, Followed};
use crate::store::{RunEventStore, RunFollower, RunNotifier, RunRow, RunStore};

/// How long somebody who cancels a run waits to see it end.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);
/// How often they look where another host ends the run.
const CANCEL_LOOK: Duration = Duration::from_millis(200);

/// How long a wait for a run's end lasts before it looks whether the caller's token is still valid.
const WAIT_PATIENCE: Duration = Duration::from_secs(15);

/// How long a wait goes on while the run cannot be read: a database that is restarted is back by then.
const READ_PATIENCE: Duration = Duration::from_secs(30);
/// How often it is tried meanwhile.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Follows and cancels runs. Whose runs a caller reaches, row-level security decides.
#[derive(Clone, Debug)]
pub(crate) struct RunControl {
    runs: RunStore,
    events: RunEventStore,
    notifier: Arc<RunNotifier>,
    active: Arc<ActiveRuns>,
}

impl RunControl {
    /// Follows runs through `notifier`, and stops at once those that are in `active`.
    pub(crate) fn new(
        runs: RunStore,
        events: RunEventStore,
        notifier: Arc<RunNotifier>,
        active: Arc<ActiveRuns>,
    ) -> Self {
        Self { runs, events, notifier, active }
    }

    /// The events of a run after number `after`, as they come.
    pub(crate) fn follow(&self, principal: &Arc<Principal>, run_id: &str, after: i64) -> EventReader {
        let follower = self.notifier.follow(run_id);
        EventReader::new(self.events.clone(), follower, Arc::clone(principal), run_id.to_owned(), after)
    }

    /// Waits until this host no longer works on a run; returns at once where it does not.
    pub(crate) async fn finished(&self, run_id: &str) {
        if let Some(mut stored) = self.active.follow(run_id) {
            while stored.changed().await.is_ok() {}
        }
    }

    /// Follows a run of which little is to be heard.
    pub(crate) fn follow_quietly(&self, run_id: &str) -> RunFollower {
        self.notifier.follow_quietly(run_id)
    }

    /// Waits for the end of a run that may be another host's, while the caller's token is valid and this host goes on.
    pub(crate) async fn until_over(&self, principal: &Arc<Principal>, run_id: &str) -> Result<(), WaitError> {
        // No event has a number as high, so only the end comes.
        let mut reader = self.follow(principal, run_id, i64::MAX);
        let mut failing_since = None;
        loop {
            let followed = tokio::select! {
                followed = reader.next(WAIT_PATIENCE) => followed,
                () = self.active.leaves() => return Err(WaitError::HostStops),
            };
            match followed {
                Ok(Followed::End) => return Ok(()),
                Ok(Followed::Expired) => return Err(VerifyError::Expired.into()),
                Ok(Followed::Events(_) | Followed::Silence) => failing_since = None,
                // The run goes on, or will, when the database is back.
                Err(_) if failing_since.get_or_insert_with(Instant::now).elapsed() < READ_PATIENCE => {
                    tokio::time::sleep(READ_AGAIN).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The run once this host no longer works on it, and once it is over; none where the caller sees no such run.
    pub(crate) async fn ended(&self, principal: &Arc<Principal>, run_id: &str) -> Result<Option<RunRow>, WaitError> {
        self.finished(run_id).await;
        if let Ok(found) = self.runs.find(principal, run_id).await
            && !found.as_ref().is_some_and(RunRow::is_unfinished)
        {
            return Ok(found);
        }
        self.until_over(principal, run_id).await?;
        Ok(self.runs.find(principal, run_id).await?)
    }

    /// Waits until this host leaves the runs that there are to others.
    pub(crate) async fn leaves(&self) {
        self.active.leaves().await;
    }

    /// Whether this host takes no more runs.
    pub(crate) fn is_closing(&self) -> bool {
        self.active.is_closing()
    }

    /// Asks for the end of a run and waits a moment for it. None where the caller sees no such run.
    pub(crate) async fn cancel(&self, principal: &Principal, run_id: &str) -> Result<Option<RunRow>, sqlx::Error> {
        if self.runs.request_cancel(principal, run_id).await?.is_none() {
            return Ok(None);
        }
        if self.active.stop(run_id, StopReason::Cancelled) {
            tokio::time::timeout(CANCEL_PATIENCE, self.finished(run_id)).await.ok();
        } else {
            tokio::time::timeout(CANCEL_PATIENCE, self.ended_elsewhere(principal, run_id)).await.ok();
        }
        self.runs.find(principal, run_id).await
    }

    /// Waits until a run of another host is over.
    async fn ended_elsewhere(&self, principal: &Principal, run_id: &str) {
        while let Ok(found) = self.events.after(principal, run_id, 0, 0).await {
            if !found.is_unfinished() {
                return;
            }
            tokio::time::sleep(CANCEL_LOOK).await;
        }
    }
}

/// Cancels a run when it is dropped, unless it was disarmed. A run that is over stays as it is.
#[derive(Debug)]
pub(crate) struct CancelOnDrop {
    control: RunControl,
    principal: Arc<Principal>,
    run_id: String,
    /// The run that waits for this one. Where another host resumes it, that host waits for this run as well.
    parent: Option<String>,
    armed: bool,
}

impl CancelOnDrop {
    /// Cancels the run as this caller.
    pub(crate) fn new(control: RunControl, principal: Arc<Principal>, run_id: String) -> Self {
        Self { control, principal, run_id, parent: None, armed: true }
    }

    /// Cancels a run that an agent asked for in the run `parent`.
    pub(crate) fn below(parent: &str, control: RunControl, principal: Arc<Principal>, run_id: String) -> Self {
        Self { control, principal, run_id, parent: Some(parent.to_owned()), armed: true }
    }

    /// Lets the run go on, or be over, by itself.
    pub(crate) fn disarm(&mut self) {
        self.armed = false;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let is_left = match &self.parent {
            Some(parent) => self.control.active.has_left(parent),
            // It is this host that goes away, and not the client.
            None => self.control.is_closing(),
        };
        if !self.armed || is_left {
            return;
        }
        let (control, principal) = (self.control.clone(), Arc::clone(&self.principal));
        let run_id = std::mem::take(&mut self.run_id);
        tokio::spawn(async move {
            if let Err(error) = control.cancel(&principal, &run_id).await {
                tracing::warn!(run.id = %run_id, error = error.log_text(), "cannot cancel a run that nobody waits for any more");
            }
        });
    }
}
