//! Follows and cancels runs, on whichever host they are.

use std::sync::Arc;
use std::time::Duration;

use behalf_identity::{Principal, VerifyError};
use behalf_problem::{Kind, LogText as _, Problem};
use thiserror::Error;

use super::active_runs::{ActiveRuns, StopReason};
use super::reader::{EventReader, Followed};
use crate::store::{RunEventStore, RunNotifier, RunRow, RunStore};

/// How long somebody who cancels a run waits to see it end.
const CANCEL_PATIENCE: Duration = Duration::from_secs(3);
/// How often they look where another host ends the run.
const CANCEL_LOOK: Duration = Duration::from_millis(200);

/// How long a wait for a run's end lasts before it looks whether the caller's token is still valid.
const WAIT_PATIENCE: Duration = Duration::from_secs(15);

/// Why a wait for a run's end broke off.
#[derive(Debug, Error)]
pub(crate) enum WaitError {
    /// The caller's token expired.
    #[error(transparent)]
    Expired(#[from] VerifyError),
    /// The database failed.
    #[error("the run cannot be read")]
    Database(#[from] sqlx::Error),
}

impl Problem for WaitError {
    fn kind(&self) -> Kind {
        match self {
            Self::Expired(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Expired(error) => error.detail(),
            Self::Database(error) => error.detail(),
        }
    }
}

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

    /// Waits for the end of a run that may be another host's, while the caller's token is valid.
    pub(crate) async fn until_over(&self, principal: &Arc<Principal>, run_id: &str) -> Result<(), WaitError> {
        // No event has a number as high, so only the end comes.
        let mut reader = self.follow(principal, run_id, i64::MAX);
        loop {
            match reader.next(WAIT_PATIENCE).await? {
                Followed::End => return Ok(()),
                Followed::Expired => return Err(VerifyError::Expired.into()),
                Followed::Events(_) | Followed::Silence => {}
            }
        }
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
        if !self.armed || self.parent.as_ref().is_some_and(|parent| self.control.active.has_left(parent)) {
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
