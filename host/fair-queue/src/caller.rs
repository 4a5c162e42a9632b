//! One caller: its waiting line, the places it holds, and how long it held places lately.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::limits::Limits;

/// The time of a caller's longest hold is halved in this time, so that it is forgotten.
const LONGEST_HALF_LIFE: Duration = Duration::from_mins(1);

/// The time for which a caller held places is halved in this time.
const USE_HALF_LIFE: Duration = Duration::from_secs(10);

/// A heavy caller is one no more below this part of the limits.
const CALM: u32 = 4;

/// A caller that gave so many places back shows what it does.
const PROOF: u32 = 4;

/// For so long a caller counts as one that is there.
const PRESENCE: Duration = Duration::from_mins(1);

/// What to expect of a caller. A later one comes later, and gets fewer places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It gave places back lately, and what it used is within the limits.
    Light,
    /// It gave too few back to tell.
    New,
    /// It holds a place for long, or used places for much of the time, now or lately.
    Heavy,
}

/// A caller that holds a place, waits for one, or did so lately. `W` is what its waiters are woken with.
#[derive(Debug)]
pub(crate) struct Caller<W> {
    /// The waiters, the first one first.
    pub(crate) line: VecDeque<(u64, W)>,
    /// When it last got a place, as a number that grows.
    pub(crate) served: u64,
    /// When it took the places that it holds.
    holds: Vec<Instant>,
    /// The number of holds that ended.
    ended: u32,
    /// Its longest hold that ended, and when.
    longest: (Duration, Instant),
    /// The time of all holds that ended, and when the last one did.
    used: (Duration, Instant),
    /// Whether it was heavy when it last gave a place back or came.
    was_heavy: bool,
    seen: Instant,
}

impl<W> Caller<W> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            line: VecDeque::new(),
            served: 0,
            holds: Vec::new(),
            ended: 0,
            longest: (Duration::ZERO, now),
            used: (Duration::ZERO, now),
            was_heavy: false,
            seen: now,
        }
    }

    /// The caller waits for a place.
    pub(crate) fn wait(&mut self, id: u64, waiter: W, limits: &Limits, now: Instant) {
        self.line.push_back((id, waiter));
        self.see(limits, now);
    }

    /// The caller is there.
    pub(crate) fn see(&mut self, limits: &Limits, now: Instant) {
        self.was_heavy = self.standing(limits, now) == Standing::Heavy;
        self.seen = now;
    }

    /// The number of places that it holds.
    pub(crate) fn held(&self) -> usize {
        self.holds.len()
    }

    /// The caller gets a place.
    pub(crate) fn take(&mut self, turn: u64, now: Instant) {
        self.holds.push(now);
        self.served = turn;
    }

    /// The caller gives a place back, which it took at `since`.
    pub(crate) fn give_back(&mut self, since: Instant, limits: &Limits, now: Instant) {
        if let Some(index) = self.holds.iter().position(|taken| *taken == since) {
            self.holds.swap_remove(index);
        }
        let time = now.saturating_duration_since(since);
        self.ended = self.ended.saturating_add(1);
        self.longest = (time.max(self.longest(now)), now);
        self.used = (time + self.used(now), now);
        self.see(limits, now);
    }

    /// What is left of the longest hold that ended.
    fn longest(&self, now: Instant) -> Duration {
        let (time, at) = self.longest;
        halved(time, now - at, LONGEST_HALF_LIFE)
    }

    /// What is left of the time of all holds that ended.
    fn used(&self, now: Instant) -> Duration {
        let (time, at) = self.used;
        halved(time, now - at, USE_HALF_LIFE)
    }

    /// A caller that was heavy stays so until it is well below the limits: else it would come and go, with a long line each time.
    pub(crate) fn standing(&self, limits: &Limits, now: Instant) -> Standing {
        let parts = if self.was_heavy { CALM } else { 1 };
        let ages = || self.holds.iter().map(|since| now.saturating_duration_since(*since));
        let longest = ages().max().unwrap_or_default().max(self.longest(now));
        let used = ages().sum::<Duration>() + self.used(now);
        if longest > limits.hold / parts || used > limits.usage / parts {
            Standing::Heavy
        } else if self.ended >= PROOF {
            Standing::Light
        } else {
            Standing::New
        }
    }

    /// Whether the caller holds a place, waits, or did so in the last minute.
    pub(crate) fn is_there(&self, now: Instant) -> bool {
        !self.holds.is_empty() || !self.line.is_empty() || now.saturating_duration_since(self.seen) < PRESENCE
    }

    /// Whether nothing of the caller has to be remembered.
    pub(crate) fn is_forgotten(&self, limits: &Limits, now: Instant) -> bool {
        !self.is_there(now) && self.standing(limits, now) != Standing::Heavy
    }
}

/// What is left of a time that is halved again and again.
fn halved(time: Duration, passed: Duration, half_life: Duration) -> Duration {
    time.mul_f64((-passed.as_secs_f64() / half_life.as_secs_f64()).exp2())
}
