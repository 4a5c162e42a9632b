//! The queue: who gets the next place.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::Key;
use crate::caller::{Caller, Standing};
use crate::limits::{Limits, Work};

/// Callers that are remembered before the forgotten ones are looked for.
const MIN_REMEMBERED: usize = 256;

/// How often waiters look whether a place came within reach although none became free.
const LOOK: Duration = Duration::from_secs(1);

/// A fixed number of places. Clones share them.
pub struct FairQueue<K: Key> {
    shared: Arc<Shared<K>>,
}

struct Shared<K: Key> {
    places: usize,
    limits: Limits,
    state: Mutex<State<K>>,
}

/// A caller, whose waiters get places.
type Waiters<K> = Caller<oneshot::Sender<Place<K>>>;

struct State<K: Key> {
    taken: usize,
    /// The waiters of all callers.
    waiting: usize,
    callers: HashMap<K, Waiters<K>>,
    /// Numbers waiters and turns.
    next: u64,
    /// Callers are forgotten when there are this many.
    full: usize,
    /// When a waiter last looked whether something came within reach.
    looked: Instant,
}

/// A place. Dropped, it is free for the next caller.
pub struct Place<K: Key> {
    shared: Arc<Shared<K>>,
    key: K,
    since: Instant,
}

/// A place in the waiting line. Dropped, it is left.
struct Waiter<K: Key> {
    shared: Arc<Shared<K>>,
    key: K,
    id: u64,
    place: oneshot::Receiver<Place<K>>,
}

/// Whose turn it is: the smallest. Whether it is heavy, places held, the last turn, the number of the first waiter.
type Rank = (bool, usize, u64, u64);

/// Places and those who get them.
type Handed<K> = Vec<(oneshot::Sender<Place<K>>, Place<K>)>;

impl<K: Key> FairQueue<K> {
    /// Makes a queue of so many places, at least one.
    pub fn new(places: usize, work: Work) -> Self {
        let places = places.max(1);
        let state = State {
            taken: 0,
            waiting: 0,
            callers: HashMap::new(),
            next: 0,
            full: MIN_REMEMBERED,
            looked: Instant::now(),
        };
        Self { shared: Arc::new(Shared { places, limits: Limits::new(places, work), state: Mutex::new(state) }) }
    }

    /// Waits for a place. A dropped future leaves the line.
    pub async fn acquire(&self, key: K) -> Place<K> {
        loop {
            let mut waiter = self.line_up(key.clone());
            // Only the queue drops a sender, together with its waiter, so the second turn never comes.
            let place = loop {
                match tokio::time::timeout(LOOK, &mut waiter.place).await {
                    Ok(place) => break place,
                    Err(_) => self.look(),
                }
            };
            if let Ok(place) = place {
                return place;
            }
        }
    }

    /// Waits for a place, but no longer than this.
    pub async fn acquire_within(&self, key: K, longest: Duration) -> Option<Place<K>> {
        // The first poll takes a free place, so that a caller who may not wait gets one as well.
        tokio::time::timeout(longest, self.acquire(key)).await.ok()
    }

    /// Takes a place that is free for this caller now.
    pub fn try_acquire(&self, key: K) -> Option<Place<K>> {
        self.line_up(key).place.try_recv().ok()
    }

    /// The number of places.
    pub fn places(&self) -> usize {
        self.shared.places
    }

    /// The number of places that are taken.
    pub fn taken(&self) -> usize {
        self.shared.lock().taken
    }

    /// The number of waiters of all callers.
    pub fn waiting(&self) -> usize {
        self.shared.lock().waiting
    }

    /// Hands out what came within reach as time passed: others went away, or a caller shows what it does.
    fn look(&self) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        if now.saturating_duration_since(state.looked) < LOOK {
            return;
        }
        state.looked = now;
        let handed = self.shared.hand_out(&mut state, None, now);
        drop(state);
        give_all(handed);
    }

    fn line_up(&self, key: K) -> Waiter<K> {
        let (give, place) = oneshot::channel();
        let now = Instant::now();
        let mut state = self.shared.lock();
        state.forget(&self.shared.limits, now);
        let id = state.number();
        let caller = state.callers.entry(key.clone()).or_insert_with(|| Caller::new(now));
        caller.wait(id, give, &self.shared.limits, now);
        state.waiting += 1;
        let handed = self.shared.hand_out(&mut state, Some(&key), now);
        drop(state);
        let waiter = Waiter { shared: Arc::clone(&self.shared), key, id, place };
        give_all(handed);
        waiter
    }
}

impl<K: Key> Shared<K> {
    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes free places for those whose turn it is. Whoever calls this gives them out after the lock is released, because
    /// a place that nobody takes any more frees itself, and needs the lock for that.
    fn hand_out(self: &Arc<Self>, state: &mut State<K>, newest: Option<&K>, now: Instant) -> Handed<K> {
        let mut handed = Vec::new();
        while state.taken < self.places && state.waiting > 0 {
            // Most callers come while nobody waits and there is room; they need no look at all the others.
            let alone = newest.filter(|_| state.waiting == 1 && state.taken < self.limits.least());
            let Some(key) = alone.cloned().or_else(|| self.next_caller(state, now)) else { break };
            let turn = state.number();
            let Some(caller) = state.callers.get_mut(&key) else { break };
            let Some((_, give)) = caller.line.pop_front() else { break };
            caller.take(turn, now);
            state.waiting -= 1;
            state.taken += 1;
            handed.push((give, Place { shared: Arc::clone(self), key, since: now }));
        }
        handed
    }

    /// The waiting caller that gets the next place.
    fn next_caller(&self, state: &State<K>, now: Instant) -> Option<K> {
        let limits = &self.limits;
        let (mut there, mut calmest, mut held_by_heavy, mut held_by_new) = (0, Standing::Heavy, 0, 0);
        // A caller without places matters only for whether somebody light is there.
        for caller in state.callers.values().filter(|caller| caller.is_there(now)) {
            there += 1;
            if caller.held() == 0 && calmest == Standing::Light {
                continue;
            }
            let standing = caller.standing(limits, now);
            calmest = calmest.min(standing);
            match standing {
                Standing::Heavy => held_by_heavy += caller.held(),
                Standing::New => held_by_new += caller.held(),
                Standing::Light => {}
            }
        }
        let (for_heavy, for_new) = match calmest {
            Standing::Light => (limits.heavy, limits.new),
            Standing::New => (limits.heavy, self.places),
            Standing::Heavy => (limits.heavy_alone, self.places),
        };
        let is_within_reach = |caller: &Waiters<K>, standing| {
            let of_standing = match standing {
                Standing::Light => true,
                Standing::New => held_by_new < for_new,
                Standing::Heavy => held_by_heavy < for_heavy,
            };
            there <= 1 || (caller.held() < limits.one && of_standing)
        };
        let mut best: Option<(Rank, &K)> = None;
        for (key, caller) in &state.callers {
            let Some((first, _)) = caller.line.front() else { continue };
            let standing = caller.standing(limits, now);
            let rank = (standing == Standing::Heavy, caller.held(), caller.served, *first);
            if is_within_reach(caller, standing) && best.is_none_or(|(other, _)| rank < other) {
                best = Some((rank, key));
            }
        }
        best.map(|(_, key)| key.clone())
    }
}

impl<K: Key> State<K> {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Forgets callers that were not there for long, when there are many.
    fn forget(&mut self, limits: &Limits, now: Instant) {
        if self.callers.len() >= self.full {
            self.callers.retain(|_, caller| !caller.is_forgotten(limits, now));
            self.full = (self.callers.len() * 2).max(MIN_REMEMBERED);
        }
    }
}

/// A waiter that went away meanwhile does not take its place, which is then free for the next one.
fn give_all<K: Key>(handed: Handed<K>) {
    for (give, place) in handed {
        drop(give.send(place));
    }
}

impl<K: Key> Drop for Waiter<K> {
    fn drop(&mut self) {
        // A place that is on the way to this waiter frees itself with the channel.
        let mut state = self.shared.lock();
        let Some(caller) = state.callers.get_mut(&self.key) else { return };
        if let Some(index) = caller.line.iter().position(|(id, _)| *id == self.id) {
            caller.line.remove(index);
            state.waiting -= 1;
        }
    }
}

impl<K: Key> Drop for Place<K> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        state.taken = state.taken.saturating_sub(1);
        if let Some(caller) = state.callers.get_mut(&self.key) {
            caller.give_back(self.since, &self.shared.limits, now);
        }
        let handed = self.shared.hand_out(&mut state, None, now);
        drop(state);
        give_all(handed);
    }
}

impl<K: Key> Clone for FairQueue<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Key> fmt::Debug for FairQueue<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FairQueue").field("places", &self.shared.places).field("taken", &self.taken()).finish()
    }
}

impl<K: Key> fmt::Debug for Place<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Place")
    }
}
