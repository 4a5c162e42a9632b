//! How long a run may work. Waiting for a person does not count.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// A run's deadline.
#[derive(Debug)]
pub(crate) struct Deadline {
    limit: Duration,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    /// Work that is left, as of `since`.
    left: Duration,
    /// When it was last known.
    since: Instant,
    /// Calls that wait for somebody.
    waiting: u32,
}

/// Somebody is waited for until this is dropped.
#[derive(Debug)]
pub(crate) struct Waiting<'a>(&'a Deadline);

impl State {
    fn left(&self, now: Instant) -> Duration {
        if self.waiting > 0 { self.left } else { self.left.saturating_sub(now.saturating_duration_since(self.since)) }
    }
}

impl Deadline {
    /// So much work may be done, of which this much was.
    pub(crate) fn new(limit: Duration, worked: Duration) -> Self {
        let left = limit.saturating_sub(worked);
        Self { limit, state: watch::Sender::new(State { left, since: Instant::now(), waiting: 0 }) }
    }

    /// What is left of it.
    pub(crate) fn left(&self) -> Duration {
        self.state.borrow().left(Instant::now())
    }

    /// What was done, by hosts before this one as well.
    pub(crate) fn worked(&self) -> Duration {
        self.limit.saturating_sub(self.left())
    }

    /// Time does not count until the guard is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.change(|waiting| waiting.saturating_add(1));
        Waiting(self)
    }

    /// Returns once no work is left.
    pub(crate) async fn passed(&self) {
        let mut changes = self.state.subscribe();
        loop {
            let state = *changes.borrow_and_update();
            if state.waiting > 0 {
                if changes.changed().await.is_err() {
                    return;
                }
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(state.since + state.left) => return,
                _ = changes.changed() => {}
            }
        }
    }

    fn change(&self, waiting: impl FnOnce(u32) -> u32) {
        self.state.send_modify(|state| {
            let now = Instant::now();
            *state = State { left: state.left(now), since: now, waiting: waiting(state.waiting) };
        });
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.change(|waiting| waiting.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_for_somebody_does_not_count() {
        let deadline = Deadline::new(Duration::from_secs(12), Duration::from_secs(2));
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (one, two) = (deadline.wait(), deadline.wait());
        let long = Duration::from_hours(1);
        assert!(tokio::time::timeout(long, deadline.passed()).await.is_err());
        drop(one);
        assert!(tokio::time::timeout(long, deadline.passed()).await.is_err());
        drop(two);
        assert_eq!((deadline.left(), deadline.worked()), (Duration::from_secs(6), Duration::from_secs(6)));
        let before = Instant::now();
        deadline.passed().await;
        assert_eq!(before.elapsed(), Duration::from_secs(6));
    }
}
