//! The threads on which statements are parsed.
//!
//! The parser is C code. For each thread that ever ran it, it keeps a thread-local arena and one of the process's few
//! thread-specific keys; a pool whose threads come and go would use the keys up. So there are two threads with a stack
//! of a known size, and they live as long as the process.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::policy::Policy;
use super::refusal::Refusal;
use super::verdict::Verdict;

/// Statements that are parsed at the same time. Two threads leave processors to the rest of the host, and one slow
/// statement does not stop the others.
const THREADS: usize = 2;

/// Statements that wait for a thread. Beyond that number, callers wait to enter the queue.
const WAITING: usize = 64;

/// Stack of a thread: enough for the parser's own limit (2 MiB) and for decoding the deepest tree in a debug build.
const STACK_BYTES: usize = 8 * 1024 * 1024;

type Answer = Result<Verdict, Refusal>;

enum Job {
    Check { sql: String, policy: Arc<Policy>, answer: oneshot::Sender<Answer> },
    Work(Box<dyn FnOnce() + Send>),
}

static JOBS: LazyLock<mpsc::Sender<Job>> = LazyLock::new(start);

/// Checks one statement on one of the threads.
pub(super) async fn check(sql: &str, policy: &Arc<Policy>) -> Answer {
    let (answer, answered) = oneshot::channel();
    let job = Job::Check { sql: sql.to_owned(), policy: Arc::clone(policy), answer };
    JOBS.send(job).await.map_err(|_| Refusal::Unexamined)?;
    answered.await.unwrap_or(Err(Refusal::Unexamined))
}

/// Runs `work` on one of the threads; nothing where it panicked or no thread could start.
pub async fn on_parser_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (answer, answered) = oneshot::channel();
    let work = move || {
        // The caller may have gone away while this waited.
        if !answer.is_closed()
            && let Ok(done) = catch_unwind(AssertUnwindSafe(work))
        {
            drop(answer.send(done));
        }
    };
    JOBS.send(Job::Work(Box::new(work))).await.ok()?;
    answered.await.ok()
}

fn start() -> mpsc::Sender<Job> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..THREADS {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new().name(format!("sql-gate-{number}")).stack_size(STACK_BYTES);
        // If one thread cannot start, the other one works alone. Without any, the channel closes and every statement is
        // refused.
        drop(thread.spawn(move || work(&receiver)));
    }
    sender
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // Nothing panics while the lock is held, and a panic would not leave the receiver in a bad state.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        match job {
            None => return,
            // The caller may have gone away while the statement waited.
            Some(Job::Check { sql, policy, answer }) => {
                if !answer.is_closed() {
                    drop(answer.send(super::check(&sql, &policy)));
                }
            }
            Some(Job::Work(work)) => work(),
        }
    }
}
