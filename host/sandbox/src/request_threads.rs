//! Guests on the threads that serve requests. A call begins there, because a change of threads costs more than a short call;
//! one that takes longer moves to the guests' threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rustix::time::ClockId;

use crate::epoch_clock::TICK;

/// The longest a call is at work on the thread of its request. A guest that computes is interrupted every tick, so the last
/// look at the time comes a tick earlier.
const BRIEF: Duration = Duration::from_micros(500);

/// Work that took longer may have been interrupted by the operating system for others, so the processor's time is asked for, which
/// needs a system call.
const UNDISTURBED: Duration = Duration::from_micros(50);

/// Work without a break that is too long for these threads, and how often in [`REMEMBERED`] it is put up with.
const LONG: Duration = Duration::from_millis(5);
const TIMES: u32 = 20;

/// How long a component's calls begin on the guests' threads after that.
const REMEMBERED: Duration = Duration::from_mins(1);

/// The time over which calls on these threads are counted.
const WINDOW: Duration = Duration::from_millis(10);

/// The work of calls on the threads of requests.
#[derive(Debug)]
pub(crate) struct RequestThreads {
    started: Instant,
    /// Work in one window, at most: three quarters of what these threads can do. Beyond it calls begin on the guests' threads.
    allowed_nanos: u64,
    window: AtomicU64,
    spent_nanos: AtomicU64,
}

/// Whether calls of a component were lately at work for long without a break, again and again. An interrupt finds a guest only
/// between its instructions, and one of these may fill all of its memory; so do some conversions of the host. Such calls begin on
/// the guests' threads for a while. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace(Arc<Lately>);

#[derive(Debug, Default)]
struct Lately {
    /// How often, since [`Lately::since_nanos`]. A few of the first calls of a component take long as well.
    times: AtomicU32,
    since_nanos: AtomicU64,
}

impl Pace {
    fn is_long(&self, now: Duration) -> bool {
        self.0.times.load(Ordering::Relaxed) >= TIMES && self.is_recent(now)
    }

    fn was_long(&self, now: Duration) {
        if !self.is_recent(now) {
            self.0.since_nanos.store(nanos(now), Ordering::Relaxed);
            self.0.times.store(0, Ordering::Relaxed);
        }
        self.0.times.fetch_add(1, Ordering::Relaxed);
    }

    fn is_recent(&self, now: Duration) -> bool {
        nanos(now).saturating_sub(self.0.since_nanos.load(Ordering::Relaxed)) < nanos(REMEMBERED)
    }
}

/// Work that was begun.
pub(crate) enum Begun<T> {
    /// It has ended; none if it panicked.
    Ended(Option<T>),
    /// It takes longer, or there was no room for it.
    Unfinished(BoxFuture<'static, T>),
}

impl RequestThreads {
    pub(crate) fn new(threads: usize) -> Self {
        let allowed = WINDOW.saturating_mul(u32::try_from(threads).unwrap_or(u32::MAX)).saturating_mul(3) / 4;
        Self {
            started: Instant::now(),
            allowed_nanos: nanos(allowed),
            window: AtomicU64::new(0),
            spent_nanos: AtomicU64::new(0),
        }
    }

    /// Does work on this thread until it has taken [`BRIEF`] of it. While the work waits it takes nothing.
    pub(crate) async fn begin<T: Send + 'static>(&self, mut work: BoxFuture<'static, T>, pace: &Pace) -> Begun<T> {
        if pace.is_long(self.started.elapsed()) {
            return Begun::Unfinished(work);
        }
        let mut spent = Duration::ZERO;
        let ended = std::future::poll_fn(|cx| {
            if !self.has_room() {
                return Poll::Ready(None);
            }
            let (begun, processor) = (Instant::now(), processor_time());
            // A panic ends the call, as it does in a task of its own, and not what serves the request.
            let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx)));
            let mut took = begun.elapsed();
            if took > UNDISTURBED {
                took = processor_time().saturating_sub(processor);
            }
            self.spent_nanos.fetch_add(nanos(took), Ordering::Relaxed);
            spent += took;
            if took > LONG {
                pace.was_long(self.started.elapsed());
            }
            match polled {
                Err(_) => Poll::Ready(Some(None)),
                Ok(Poll::Ready(value)) => Poll::Ready(Some(Some(value))),
                Ok(Poll::Pending) if spent + TICK >= BRIEF => Poll::Ready(None),
                Ok(Poll::Pending) => Poll::Pending,
            }
        })
        .await;
        match ended {
            Some(value) => Begun::Ended(value),
            None => Begun::Unfinished(work),
        }
    }

    fn has_room(&self) -> bool {
        let now = nanos(self.started.elapsed()) / nanos(WINDOW);
        // Work that took longer than a window is paid for in the next ones.
        let passed = now.saturating_sub(self.window.fetch_max(now, Ordering::Relaxed));
        if passed > 0 {
            let paid = self.allowed_nanos.saturating_mul(passed);
            let less = |spent: u64| Some(spent.saturating_sub(paid));
            self.spent_nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).ok();
        }
        self.spent_nanos.load(Ordering::Relaxed) < self.allowed_nanos
    }
}

/// Time for which a processor has worked for this thread.
fn processor_time() -> Duration {
    rustix::time::clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default()
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Works for so long, however much of the processor others take meanwhile.
    fn busy(time: Duration) {
        let begun = processor_time();
        while processor_time().saturating_sub(begun) < time {
            std::hint::spin_loop();
        }
    }

    #[tokio::test]
    async fn short_work_ends_where_it_began_and_long_work_is_handed_out() {
        let threads = RequestThreads::new(1_000);
        assert!(matches!(threads.begin(Box::pin(async { 7 }), &Pace::default()).await, Begun::Ended(Some(7))));
        let long = async {
            busy(BRIEF);
            tokio::task::yield_now().await;
            8
        };
        let Begun::Unfinished(rest) = threads.begin(Box::pin(long), &Pace::default()).await else {
            panic!("it took too long")
        };
        assert_eq!(rest.await, 8);
    }

    #[tokio::test]
    async fn work_that_waits_takes_no_time() {
        let threads = RequestThreads::new(1_000);
        let work = async {
            tokio::time::sleep(BRIEF * 4).await;
            9
        };
        assert!(matches!(threads.begin(Box::pin(work), &Pace::default()).await, Begun::Ended(Some(9))));
    }

    #[tokio::test]
    async fn there_is_no_room_once_the_part_of_a_window_was_taken() {
        let threads = RequestThreads::new(0);
        assert!(matches!(threads.begin(Box::pin(async {}), &Pace::default()).await, Begun::Unfinished(_)));
    }

    #[tokio::test]
    async fn what_takes_long_without_a_break_again_and_again_begins_elsewhere() {
        let (threads, pace) = (RequestThreads::new(1_000), Pace::default());
        for _ in 0..TIMES {
            let long = async { busy(LONG * 2) };
            assert!(matches!(threads.begin(Box::pin(long), &pace).await, Begun::Ended(Some(()))));
        }
        assert!(matches!(threads.begin(Box::pin(async {}), &pace).await, Begun::Unfinished(_)));
        assert!(
            matches!(threads.begin(Box::pin(async {}), &Pace::default()).await, Begun::Ended(_)),
            "others do not pay"
        );
    }

    #[tokio::test]
    async fn work_of_several_windows_is_paid_for_in_several() {
        let threads = RequestThreads::new(2);
        threads.spent_nanos.store(threads.allowed_nanos * 1_000_000, Ordering::Relaxed);
        tokio::time::sleep(WINDOW * 3).await;
        assert!(!threads.has_room());
    }

    #[tokio::test]
    async fn a_panic_ends_the_work_alone() {
        let threads = RequestThreads::new(1_000);
        let panics = async {
            assert!(std::hint::black_box(false), "a fault of the host");
        };
        assert!(matches!(threads.begin(Box::pin(panics), &Pace::default()).await, Begun::Ended(None)));
    }
}
