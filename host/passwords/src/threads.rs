//! The threads that hash: a fixed number, with a bounded line before them. They have less priority than the threads that serve
//! requests and run tools.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, oneshot};

use crate::hasher::HashError;

type Job = Box<dyn FnOnce() + Send>;

/// The threads and the line.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    line: Arc<Semaphore>,
    places: Arc<Semaphore>,
    jobs: Sender<Job>,
}

impl Threads {
    /// Starts so many threads; so many jobs may wait for one. They end with the last clone of this.
    pub(crate) fn start(count: usize, waiting: usize) -> Self {
        let count = count.clamp(1, Semaphore::MAX_PERMITS / 2);
        let (jobs, taken) = channel::<Job>();
        let taken = Arc::new(Mutex::new(taken));
        for _ in 0..count {
            let taken = Arc::clone(&taken);
            if let Err(error) = std::thread::Builder::new().name("passwords".to_owned()).spawn(move || work(&taken)) {
                tracing::error!(error_kind = ?error.kind(), "a thread that hashes passwords could not be started");
            }
        }
        let line = count.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Self { line: Arc::new(Semaphore::new(line)), places: Arc::new(Semaphore::new(count)), jobs }
    }

    /// Does the work in a thread. Whoever stops waiting in line leaves it; work that has begun goes on and keeps its place until it
    /// has ended.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let in_line = Arc::clone(&self.line).try_acquire_owned().map_err(|_| HashError::Busy)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| HashError::Failed)?;
        let (tell, told) = oneshot::channel();
        let job = move || {
            let done = work();
            drop((place, in_line));
            tell.send(done).ok();
        };
        self.jobs.send(Box::new(job)).map_err(|_| HashError::Failed)?;
        told.await.map_err(|_| HashError::Failed)
    }
}

fn work(taken: &Mutex<Receiver<Job>>) {
    lower_priority();
    loop {
        let next = taken.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // Whoever waits learns it from the dropped sender.
        catch_unwind(AssertUnwindSafe(job)).ok();
    }
}

/// Linux counts priority for each thread.
#[cfg(target_os = "linux")]
fn lower_priority() {
    /// A thread of usual priority gets about nine times the processor's time of one with this niceness.
    const NICENESS: i32 = 10;
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::warn!(error_kind = ?error.kind(), "the priority of a thread that hashes passwords could not be lowered");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
