//! One attempt at a job: as its owner, within its deadline, and what becomes of the job afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder as _, ExponentialBuilder};
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::ending::{self, Ending};
use super::shared::Shared;
use crate::handler::{Done, Failure, Handler, JobLimits};
use crate::identity::Actor;
use crate::job::Job;
use crate::stop::{Stop, StopSignal};
use crate::store::claim::Claimed;
use crate::store::lease::JobLease;
use crate::store::outcome::{self, Reason};

/// How long an attempt may go on after it was asked to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The same where the host stops: it has to give its jobs back before it is killed.
const GRACE_OF_HOST: Duration = Duration::from_secs(2);

/// How long a job waits whose owner cannot be looked up, because the database does not answer.
const UNANSWERED: Duration = Duration::from_secs(5);

/// How often what became of an attempt is written, if the database answers and refuses it. Then the lease runs out.
const MAX_REFUSED: u32 = 5;

/// Waits between these tries.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// An attempt at a job.
pub(super) struct Attempt {
    shared: Arc<Shared>,
    claimed: Claimed,
    lease: JobLease,
    stop: StopSignal,
}

/// How an attempt went.
enum Outcome {
    /// Its effect is stored.
    Done,
    /// It was asked to stop.
    Stopped(Stop),
    /// It was not begun, and does not count.
    NotBegun,
    /// It failed, and another may succeed.
    Failed(Reason, JobLimits),
    /// It failed, and no other would succeed.
    Final(Reason),
}

impl Attempt {
    /// Begins to keep the job's lease.
    pub(super) fn new(shared: Arc<Shared>, claimed: Claimed) -> Self {
        let lease = claimed.lease(shared.host);
        let stop = shared.active.add(lease);
        if shared.stopping.is_cancelled() {
            stop.raise(Stop::HostStops);
        }
        Self { shared, claimed, lease, stop }
    }

    /// Makes the attempt, and writes what became of the job.
    pub(super) async fn work(self) {
        metric::job_began(&self.claimed.kind, Duration::try_from_secs_f64(self.claimed.waited).unwrap_or_default());
        let began = Instant::now();
        let outcome = self.outcome().await;
        metric::job_worked(&self.claimed.kind, began.elapsed());
        self.settle(outcome).await;
        self.shared.active.remove(&self.lease);
    }

    async fn outcome(&self) -> Outcome {
        let Some(actor) = ending::actor(&self.shared, &self.claimed) else { return Outcome::Final(Reason::identity()) };
        if let Actor::Principal(principal) = &actor {
            match self.shared.owner_check.may_act(principal).await {
                Ok(true) => {}
                Ok(false) => return Outcome::Final(Reason::owner_gone()),
                Err(error) => {
                    tracing::warn!(error = error.log_text(), "cannot look up the owner of a job; trying again");
                    return Outcome::NotBegun;
                }
            }
        }
        let Some(handler) = self.shared.handlers.get(&*self.claimed.kind) else { return Outcome::NotBegun };
        let limits = handler.limits();
        match self.run(Arc::clone(handler), actor, limits.deadline).await {
            Ok(Ok(done)) => Outcome::from(done),
            Ok(Err(failure)) => self.failed(failure, limits).await,
            Err(NotEnded::Deadline) => Outcome::Failed(Reason::deadline(), limits),
            Err(NotEnded::Stopped(stop)) => Outcome::Stopped(stop),
            Err(NotEnded::Panic) => Outcome::Failed(Reason::panic(), limits),
        }
    }

    /// Runs the handler in a task of its own, so that a panic is the attempt's alone.
    async fn run(
        &self,
        handler: Arc<dyn Handler>,
        actor: Actor,
        deadline: Duration,
    ) -> Result<Result<Done, Failure>, NotEnded> {
        let job = Job {
            id: self.lease.id,
            payload: self.claimed.payload.clone(),
            attempt: u32::try_from(self.claimed.attempts).unwrap_or_default(),
            is_last_attempt: self.claimed.is_last_attempt(),
            actor,
            lease: self.lease,
            db: self.shared.db().clone(),
            stop: self.stop.clone(),
            written: Mutex::new(None),
        };
        let mut task = tokio::spawn(async move { handler.run(&job).await });
        let why = tokio::select! {
            ended = &mut task => return ended.map_err(NotEnded::from),
            () = tokio::time::sleep(deadline) => NotEnded::Deadline,
            stop = self.stop.raised() => {
                let grace = if stop == Stop::HostStops { GRACE_OF_HOST } else { GRACE };
                match timeout(grace, &mut task).await {
                    Ok(ended) => return ended.map_err(NotEnded::from),
                    Err(_) => NotEnded::Stopped(stop),
                }
            }
        };
        abort(task).await;
        Err(why)
    }

    async fn failed(&self, failure: Failure, limits: JobLimits) -> Outcome {
        match (failure, self.stop.reason()) {
            // What fails while the attempt has to stop fails because of that.
            (Failure::Retry(_) | Failure::Stopped, Some(stop)) => Outcome::Stopped(stop),
            (Failure::Stopped, None) => match outcome::why_stopped(self.shared.db(), &self.lease).await {
                Ok(Some(stop)) => Outcome::Stopped(stop),
                Ok(None) => Outcome::Failed(Reason::stopped(), limits),
                Err(error) => Outcome::Failed(Reason::error(&error.log_text()), limits),
            },
            (Failure::Retry(error), None) => Outcome::Failed(Reason::error(&error.log_text()), limits),
            (Failure::Final { code, message }, _) => Outcome::Final(Reason { code, message }),
        }
    }

    /// Writes what became of the job.
    async fn settle(&self, outcome: Outcome) {
        match outcome {
            Outcome::Done => metric::job_ended(&self.claimed.kind, "done"),
            Outcome::Stopped(Stop::Lost) => metric::job_ended(&self.claimed.kind, "lost"),
            Outcome::Stopped(Stop::Cancelled) => self.end(true, &Reason::cancelled()).await,
            Outcome::Stopped(Stop::HostStops) => self.release(Duration::ZERO).await,
            Outcome::NotBegun => self.release(UNANSWERED).await,
            Outcome::Final(reason) => self.end(false, &reason).await,
            Outcome::Failed(reason, _) if self.claimed.is_last_attempt() => self.end(false, &reason).await,
            Outcome::Failed(reason, limits) => self.retry(&reason, limits).await,
        }
    }

    async fn retry(&self, reason: &Reason, limits: JobLimits) {
        metric::job_ended(&self.claimed.kind, "retry");
        let wait = wait_after(self.claimed.attempts, limits);
        tracing::debug!(job.id = %self.lease.id, job.code = reason.code, "an attempt at a job failed");
        self.write(|| Box::pin(outcome::retry(self.shared.db(), &self.lease, wait, reason))).await;
    }

    async fn release(&self, wait: Duration) {
        self.write(|| Box::pin(outcome::release(self.shared.db(), &self.lease, wait))).await;
    }

    async fn end(&self, is_cancelled: bool, reason: &Reason) {
        let ending = Ending::new(&self.shared, &self.claimed);
        self.write(|| Box::pin(ending.end(is_cancelled, reason))).await;
    }

    /// Writes until the database has it: while it does not answer, the attempt keeps its place, so that an outage costs a job one
    /// attempt at most. What it refuses again and again is left to the next host.
    async fn write<'a>(&'a self, write: impl Fn() -> BoxFuture<'a, Result<(), sqlx::Error>>) {
        let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT);
        let mut refused = 0;
        for wait in waits.without_max_times().build() {
            match write().await {
                Ok(()) | Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    tracing::warn!(job.id = %self.lease.id, error = error.log_text(), "cannot write what became of a job");
                    refused += u32::from(matches!(error, sqlx::Error::Database(_)));
                }
            }
            if refused >= MAX_REFUSED || self.stop.reason() == Some(Stop::Lost) {
                return;
            }
            if self.shared.stopping.is_cancelled() {
                tokio::time::sleep(FIRST_WAIT).await;
            } else {
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = self.shared.stopping.cancelled() => {}
                }
            }
        }
    }
}

impl From<Done> for Outcome {
    fn from(_: Done) -> Self {
        Self::Done
    }
}

/// Why a handler returned nothing.
enum NotEnded {
    Deadline,
    Stopped(Stop),
    Panic,
}

impl From<JoinError> for NotEnded {
    /// Nothing else cancels the task than the end of the runtime.
    fn from(error: JoinError) -> Self {
        if error.is_panic() { Self::Panic } else { Self::Stopped(Stop::HostStops) }
    }
}

/// Drops what a task does, and waits a moment until that is so: it may hold a transaction.
async fn abort(task: JoinHandle<Result<Done, Failure>>) {
    task.abort();
    let _ = timeout(FIRST_WAIT, task).await;
}

/// How long the job waits after so many attempts.
fn wait_after(attempts: i32, limits: JobLimits) -> Duration {
    let waits = ExponentialBuilder::new()
        .with_min_delay(limits.first_wait)
        .with_max_delay(limits.longest_wait)
        .without_max_times()
        .with_jitter();
    let nth = usize::try_from(attempts.saturating_sub(1)).unwrap_or_default();
    waits.build().nth(nth.min(64)).unwrap_or(limits.longest_wait).min(limits.longest_wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let limits = JobLimits {
            deadline: Duration::from_secs(1),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_mins(1),
        };
        for (attempt, least) in [(1, 1), (2, 2), (3, 4), (6, 32)] {
            let wait = wait_after(attempt, limits);
            let (least, most) = (Duration::from_secs(least), Duration::from_secs(2 * least).min(limits.longest_wait));
            assert!(wait >= least && wait <= most, "{attempt}: {wait:?}");
        }
        assert_eq!(wait_after(i32::MAX, limits), limits.longest_wait);
    }
}
