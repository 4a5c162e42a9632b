//! The threads on which statements are parsed.
//!
//! The parser is C code that keeps a thread-local arena, and claims one of the process's few thread-specific keys, for each
//! thread that ever ran it; a pool whose threads come and go would use the keys up. So there are two threads for the whole
//! process, for as long as it lives, with a stack of a known size.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

use super::policy::Policy;
use super::refusal::Refusal;
use super::verdict::Verdict;

/// How many statements are parsed at a time. A hostile one takes tens of milliseconds, so two keep the rest of the host
/// responsive, and one slow statement does not stop the others.
const THREADS: usize = 2;

/// How many statements wait for a thread; a caller beyond that waits to be let in.
const WAITING: usize = 64;

/// Enough for the parser's own bound on its stack (2 MiB) and the decoding of the deepest tree in a debug build.
const STACK_BYTES: usize = 8 * 1024 * 1024;

type Answer = Result<Verdict, Refusal>;

struct Job {
    sql: String,
    policy: Arc<Policy>,
    answer: oneshot::Sender<Answer>,
}

static JOBS: LazyLock<mpsc::Sender<Job>> = LazyLock::new(start);

/// Checks one statement on one of the threads.
pub(super) async fn check(sql: &str, policy: &Arc<Policy>) -> Answer {
    let (answer, answered) = oneshot::channel();
    let job = Job { sql: sql.to_owned(), policy: Arc::clone(policy), answer };
    JOBS.send(job).await.map_err(|_| Refusal::Unexamined)?;
    answered.await.unwrap_or(Err(Refusal::Unexamined))
}

fn start() -> mpsc::Sender<Job> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let receiver = Arc::new(Mutex::new(receiver));
    for number in 0..THREADS {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new().name(format!("sql-gate-{number}")).stack_size(STACK_BYTES);
        // Where a thread cannot be had the other one works alone, and without any the channel closes and all is refused.
        drop(thread.spawn(move || work(&receiver)));
    }
    sender
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // Nothing can panic while the lock is held, and the receiver would be whole if it did.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(Job { sql, policy, answer }) = job else { return };
        // Whoever asked may have given up while the statement waited.
        if !answer.is_closed() {
            drop(answer.send(super::check(&sql, &policy)));
        }
    }
}
