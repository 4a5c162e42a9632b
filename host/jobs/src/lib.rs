//! Background work of one host process: loops that are started, repeated, retried and stopped in one way.
//!
//! A feature starts its loops with [`Jobs::every`] or [`Jobs::spawn`]; [`Jobs::shutdown`] stops all of them and waits.
//! Where only one of several hosts may do a piece of work, the feature that owns the table takes a lease in it. This
//! crate knows no feature and no database.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The background loops of this process. Clones start loops of the same set.
#[derive(Clone, Debug, Default)]
pub struct Jobs {
    tracker: TaskTracker,
    stop: CancellationToken,
}

/// Whether a loop goes on after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run again after the period.
    Continue,
    /// End the loop, because nothing is left to do.
    End,
}

/// A signal to a loop that the host stops.
#[derive(Clone, Debug)]
pub struct Stop(CancellationToken);

impl Stop {
    /// Waits until the host stops.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// Whether the host stops.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }
}

impl Jobs {
    /// Makes an empty set of loops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `turn` now and then every `period`, until it returns [`Next::End`] or the host stops. A turn that fails is
    /// logged under `name` and counted, and the next one comes after the period. When the host stops, a turn under way
    /// is dropped.
    pub fn every<F, T, E>(&self, name: &'static str, period: Duration, mut turn: F)
    where
        F: FnMut() -> T + Send + 'static,
        T: Future<Output = Result<Next, E>> + Send,
        E: Error + Send + 'static,
    {
        self.spawn(name, |stop| async move {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                let done = tokio::select! {
                    () = stop.requested() => return,
                    done = async { ticks.tick().await; turn().await } => done,
                };
                match done {
                    Ok(Next::Continue) => {}
                    Ok(Next::End) => return,
                    Err(error) => failed(name, &error),
                }
            }
        });
    }

    /// Runs a loop that times itself. It must end soon after its [`Stop`] is requested.
    pub fn spawn<F, T>(&self, name: &'static str, work: F)
    where
        F: FnOnce(Stop) -> T,
        T: Future<Output = ()> + Send + 'static,
    {
        metric::job_known(name);
        let work = work(Stop(self.stop.clone()));
        self.tracker.spawn(async move {
            work.await;
            tracing::debug!(job.name = name, "a background loop ended");
        });
    }

    /// Asks every loop to stop and waits for them, at most for `grace`.
    pub async fn shutdown(&self, grace: Duration) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_err() {
            tracing::warn!(loops = self.tracker.len(), "background loops did not stop in time");
        }
    }
}

/// Logs and counts a failed turn.
fn failed(name: &'static str, error: &(dyn Error + 'static)) {
    metric::job_failed(name);
    tracing::warn!(job.name = name, error = error.log_text(), "a turn of a background loop failed; trying again");
}

/// A task that is aborted when this is dropped. It can be awaited as the task's [`JoinHandle`] can.
#[derive(Debug)]
pub struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> AbortOnDrop<T> {
    /// Wraps a task.
    pub fn new(task: JoinHandle<T>) -> Self {
        Self(task)
    }
}

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const PERIOD: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn a_failed_turn_is_followed_by_another_and_a_finished_loop_ends() {
        let (jobs, turns) = (Jobs::new(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&turns);
        jobs.every("test", PERIOD, move || {
            let turn = counted.fetch_add(1, Ordering::Relaxed);
            async move {
                match turn {
                    0 => Err(std::io::Error::other("the database is away")),
                    1 => Ok(Next::Continue),
                    _ => Ok(Next::End),
                }
            }
        });
        tokio::time::sleep(PERIOD * 10).await;
        assert_eq!(turns.load(Ordering::Relaxed), 3);
        assert!(jobs.tracker.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn shutdown_stops_loops_and_waits_for_them() {
        let (jobs, ended) = (Jobs::new(), Arc::new(AtomicU32::new(0)));
        jobs.every("periodic", PERIOD, || async { Ok::<_, std::io::Error>(Next::Continue) });
        let counted = Arc::clone(&ended);
        jobs.spawn("own rhythm", |stop| async move {
            stop.requested().await;
            counted.fetch_add(1, Ordering::Relaxed);
        });
        jobs.shutdown(PERIOD).await;
        assert!(ended.load(Ordering::Relaxed) == 1 && jobs.tracker.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_is_awaited_or_aborted_with_its_owner() {
        assert_eq!(AbortOnDrop::new(tokio::spawn(async { 7 })).await.expect("it ended"), 7);
        let ended = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&ended);
        drop(AbortOnDrop::new(tokio::spawn(async move {
            tokio::time::sleep(PERIOD).await;
            counted.fetch_add(1, Ordering::Relaxed);
        })));
        tokio::time::sleep(PERIOD * 2).await;
        assert_eq!(ended.load(Ordering::Relaxed), 0);
    }
}
