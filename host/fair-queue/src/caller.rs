//! One caller: its waiting line, the places it holds, and how long it used places lately.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Use is forgotten by half in this time.
const HALF_LIFE: Duration = Duration::from_mins(2);

/// A caller that used places for longer than this lately comes after those that did not.
const HEAVY: Duration = Duration::from_secs(5);

/// More use than this is not remembered.
const MAX_USE: Duration = Duration::from_mins(1);

/// For so long a caller counts as one that is there.
const PRESENCE: Duration = Duration::from_mins(1);

/// A caller that holds a place, waits for one, or did so lately. `W` is what its waiters are woken with.
#[derive(Debug)]
pub(crate) struct Caller<W> {
    /// The waiters, the first one first.
    pub(crate) line: VecDeque<(u64, W)>,
    /// The places that it holds.
    pub(crate) held: usize,
    /// When it last got a place, as a number that grows.
    pub(crate) served: u64,
    /// When the places that it holds were taken, as the sum of their ages at `measured`.
    ages: Duration,
    /// The decayed time of the places that it gave back.
    used: Duration,
    measured: Instant,
    seen: Instant,
}

impl<W> Caller<W> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            line: VecDeque::new(),
            held: 0,
            served: 0,
            ages: Duration::ZERO,
            used: Duration::ZERO,
            measured: now,
            seen: now,
        }
    }

    /// Notes that the caller is there.
    pub(crate) fn see(&mut self, now: Instant) {
        self.seen = now;
    }

    /// The caller gets a place.
    pub(crate) fn take(&mut self, turn: u64, now: Instant) {
        self.measure(now);
        self.held += 1;
        self.served = turn;
    }

    /// The caller gives a place back, which it took at `since`.
    pub(crate) fn give_back(&mut self, since: Instant, now: Instant) {
        self.measure(now);
        let age = now.saturating_duration_since(since);
        self.held = self.held.saturating_sub(1);
        self.ages = if self.held == 0 { Duration::ZERO } else { self.ages.saturating_sub(age) };
        self.used = (self.used + age).min(MAX_USE);
        self.see(now);
    }

    /// Whether the caller used places for long lately, those that it still holds included.
    pub(crate) fn is_heavy(&mut self, now: Instant) -> bool {
        self.measure(now);
        self.used + self.ages > HEAVY
    }

    /// Whether the caller holds a place, waits, or did so in the last minute.
    pub(crate) fn is_there(&self, now: Instant) -> bool {
        self.held > 0 || !self.line.is_empty() || now.saturating_duration_since(self.seen) < PRESENCE
    }

    /// Whether nothing of the caller has to be remembered.
    pub(crate) fn is_forgotten(&mut self, now: Instant) -> bool {
        !self.is_there(now) && !self.is_heavy(now)
    }

    /// Brings `ages` and `used` up to `now`.
    fn measure(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.measured);
        if passed.is_zero() {
            return;
        }
        self.measured = now;
        self.ages += passed.saturating_mul(u32::try_from(self.held).unwrap_or(u32::MAX));
        self.used = self.used.mul_f64((-passed.as_secs_f64() / HALF_LIFE.as_secs_f64()).exp2());
    }
}
