//! Threads that do one kind of the local model's work, and the line in front of them.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{Cause, EmbeddingError};

/// Threads of the host's own, so that no request that only waits for the network stands behind a model. They begin with the
/// first work and end with the lane.
pub(super) struct Lane {
    line: Arc<Line>,
}

/// What threads of a lane are like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// How many work at the same time.
    pub(super) threads: usize,
    /// How much may wait.
    pub(super) most_waiting: usize,
    /// Whether other threads of the machine come first.
    pub(super) yields: bool,
}

struct Line {
    kind: Kind,
    state: Mutex<State>,
    there_is_work: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<dyn Work>>,
    threads: usize,
    idle: usize,
    ended: bool,
}

trait Work: Send {
    /// Whether somebody still waits for the result.
    fn is_wanted(&self) -> bool;
    fn run(self: Box<Self>);
}

struct Job<T, F> {
    work: F,
    result: oneshot::Sender<T>,
}

impl<T: Send, F: FnOnce() -> T + Send> Work for Job<T, F> {
    fn is_wanted(&self) -> bool {
        !self.result.is_closed()
    }

    fn run(self: Box<Self>) {
        let Self { work, result } = *self;
        result.send(work()).ok();
    }
}

impl Lane {
    pub(super) fn new(kind: Kind) -> Self {
        Self { line: Arc::new(Line { kind, state: Mutex::default(), there_is_work: Condvar::new() }) }
    }

    pub(super) fn kind(&self) -> Kind {
        self.line.kind
    }

    /// The result of `work`. If the future is dropped before a thread begins it, it is not done.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, EmbeddingError> {
        let (result, receiver) = oneshot::channel();
        self.add(Box::new(Job { work, result }))?;
        receiver.await.map_err(|_| EmbeddingError::Failed(Cause::new("a thread of the model ended early")))
    }

    fn add(&self, job: Box<dyn Work>) -> Result<(), EmbeddingError> {
        let line = &self.line;
        let mut state = line.state();
        if state.waiting.len() >= line.kind.most_waiting {
            state.waiting.retain(|job| job.is_wanted());
        }
        if state.waiting.len() >= line.kind.most_waiting {
            return Err(EmbeddingError::Busy);
        }
        if state.idle <= state.waiting.len() && state.threads < line.kind.threads {
            let own = Arc::clone(line);
            let begun = std::thread::Builder::new().name(line.kind.name.to_owned()).spawn(move || own.work());
            match begun {
                Ok(_) => state.threads += 1,
                Err(_) if state.threads > 0 => {}
                Err(error) => {
                    return Err(EmbeddingError::Failed(Cause::new(format!(
                        "no thread can be begun ({})",
                        error.kind()
                    ))));
                }
            }
        }
        state.waiting.push_back(job);
        line.there_is_work.notify_one();
        Ok(())
    }
}

impl Line {
    /// Nothing that can panic runs under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        if self.kind.yields {
            yield_to_others();
        }
        while let Some(job) = self.next() {
            if job.is_wanted() {
                // Whoever waits gets an error, because the sender is dropped.
                catch_unwind(AssertUnwindSafe(|| job.run())).ok();
            }
        }
    }

    /// Waits for work. `None` when the lane has ended.
    fn next(&self) -> Option<Box<dyn Work>> {
        let mut state = self.state();
        loop {
            if state.ended {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            state = self.there_is_work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        let mut state = self.line.state();
        state.ended = true;
        state.waiting.clear();
        self.line.there_is_work.notify_all();
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("kind", &self.line.kind).finish_non_exhaustive()
    }
}

/// On Linux a priority is a thread's own (setpriority(2), "C library/kernel differences"). Elsewhere it would be that of the
/// whole host, so there it stays.
fn yield_to_others() {
    #[cfg(target_os = "linux")]
    {
        /// As documents are read (`behalf-sandbox`).
        const NICENESS: i32 = 10;
        rustix::process::nice(NICENESS).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures::FutureExt as _;

    use super::*;

    fn lane(threads: usize, most_waiting: usize) -> Lane {
        Lane::new(Kind { name: "test", threads, most_waiting, yields: false })
    }

    /// Work that lasts until the sender is dropped, and has begun.
    async fn hold(lane: &Lane) -> (mpsc::Sender<()>, impl Future<Output = Result<(), EmbeddingError>>) {
        let (open, gate) = mpsc::channel::<()>();
        let (begun, has_begun) = oneshot::channel();
        let mut held = Box::pin(lane.run(move || {
            begun.send(()).ok();
            gate.recv().ok();
        }));
        assert!((&mut held).now_or_never().is_none());
        has_begun.await.expect("it begins");
        (open, held)
    }

    #[tokio::test]
    async fn more_than_may_wait_is_refused_and_what_is_dropped_makes_room() {
        let lane = lane(1, 2);
        let (open, held) = hold(&lane).await;
        let done = Arc::new(AtomicUsize::new(0));
        let work = || {
            let done = Arc::clone(&done);
            Box::pin(lane.run(move || done.fetch_add(1, Ordering::SeqCst)))
        };
        let (mut first, mut second) = (work(), work());
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(work().await, Err(EmbeddingError::Busy));
        drop(first);
        let third = work();
        let third = tokio::spawn({
            let (sender, receiver) = oneshot::channel();
            let mut third = third;
            let early = (&mut third).now_or_never();
            assert!(early.is_none(), "it waits in the place of the first");
            sender.send(()).ok();
            async move { receiver.await.is_ok() }
        });
        assert!(third.await.expect("a task"));
        drop(open);
        held.await.expect("it was held");
        assert_eq!(second.await, Ok(0), "the dropped one was not done");
    }

    #[tokio::test]
    async fn work_that_panics_is_an_error_and_the_next_is_done() {
        let lane = lane(1, 2);
        let panicked = lane.run(|| assert_eq!(1, 2, "as planned")).await;
        assert!(matches!(panicked, Err(EmbeddingError::Failed(_))), "{panicked:?}");
        assert_eq!(lane.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_lane_has_its_threads_and_no_more() {
        let lane = lane(2, 9);
        let (open_1, held_1) = hold(&lane).await;
        let (open_2, held_2) = hold(&lane).await;
        let mut third = Box::pin(lane.run(|| ()));
        assert!((&mut third).now_or_never().is_none());
        let counts = |state: &State| (state.threads, state.waiting.len());
        assert_eq!(counts(&lane.line.state()), (2, 1));
        drop(open_1);
        third.await.expect("a thread is free");
        held_1.await.expect("it was held");
        drop(open_2);
        held_2.await.expect("it was held");
    }
}
