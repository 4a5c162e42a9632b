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
use crate::recent::Recent;

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
    /// Those that hold or wait for places.
    active: HashMap<K, Waiters<K>>,
    /// Those that did so and are remembered. There may be a million of them, so nothing that a call needs looks at all.
    idle: HashMap<K, Waiters<K>>,
    /// Who of the idle ones was there last.
    recent: Recent<K>,
    /// Numbers waiters and turns.
    next: u64,
    /// Idle callers are forgotten when there are this many.
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
            active: HashMap::new(),
            idle: HashMap::new(),
            recent: Recent::new(places),
            next: 0,
            full: MIN_REMEMBERED,
            looked: Instant::now(),
        };
        Self { shared: Arc::new(Shared { places, limits: Limits::new(places, work), state: Mutex::new(state) }) }
    }

    /// Waits for a place. A dropped future leaves the line.
    pub async fn acquire(&self, key: K) -> Place<K> {
        match self.take_now(&key) {
            Some(place) => place,
            None => self.wait(key).await,
        }
    }

    /// Waits in the line.
    async fn wait(&self, key: K) -> Place<K> {
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
        // A caller who may not wait gets a free place as well. Most calls need no timer.
        if let Some(place) = self.take_now(&key) {
            return Some(place);
        }
        tokio::time::timeout(longest, self.wait(key)).await.ok()
    }

    /// Takes a place that is free for this caller now.
    pub fn try_acquire(&self, key: K) -> Option<Place<K>> {
        self.take_now(&key).or_else(|| self.line_up(key).place.try_recv().ok())
    }

    /// Takes a free place while nobody waits, which needs no line.
    fn take_now(&self, key: &K) -> Option<Place<K>> {
        let now = Instant::now();
        let limits = &self.shared.limits;
        let mut state = self.shared.lock();
        if state.waiting > 0 || state.taken >= self.shared.places {
            return None;
        }
        // Most callers come while there is much room; they need no look at the others.
        let is_few = state.taken < limits.least();
        state.enter(key, now).see(limits, now);
        let may_take = is_few || {
            let reach = self.shared.reach(&state, now);
            state.active.get(key).is_some_and(|caller| reach.allows(caller, caller.standing(limits, now), limits))
        };
        if !may_take {
            state.settle(key, limits, now);
            return None;
        }
        let turn = state.number();
        state.active.get_mut(key)?.take(turn, now);
        state.taken += 1;
        Some(Place { shared: Arc::clone(&self.shared), key: key.clone(), since: now })
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
        let handed = self.shared.hand_out(&mut state, now);
        drop(state);
        give_all(handed);
    }

    fn line_up(&self, key: K) -> Waiter<K> {
        let (give, place) = oneshot::channel();
        let now = Instant::now();
        let mut state = self.shared.lock();
        let id = state.number();
        state.enter(&key, now).wait(id, give, &self.shared.limits, now);
        state.waiting += 1;
        let handed = self.shared.hand_out(&mut state, now);
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
    fn hand_out(self: &Arc<Self>, state: &mut State<K>, now: Instant) -> Handed<K> {
        let mut handed = Vec::new();
        while state.taken < self.places && state.waiting > 0 {
            let Some(key) = self.next_caller(state, now) else { break };
            let turn = state.number();
            let Some(caller) = state.active.get_mut(&key) else { break };
            let Some((_, give)) = caller.line.pop_front() else { break };
            caller.take(turn, now);
            state.waiting -= 1;
            state.taken += 1;
            handed.push((give, Place { shared: Arc::clone(self), key, since: now }));
        }
        handed
    }

    /// What is within reach of whom, as things stand.
    fn reach(&self, state: &State<K>, now: Instant) -> Reach {
        let limits = &self.limits;
        let (mut there, mut calmest, mut held_by_heavy, mut held_by_new) = (state.active.len(), Standing::Heavy, 0, 0);
        for caller in state.active.values() {
            let standing = caller.standing(limits, now);
            calmest = calmest.min(standing);
            match standing {
                Standing::Heavy => held_by_heavy += caller.held(),
                Standing::New => held_by_new += caller.held(),
                Standing::Light => {}
            }
        }
        // A caller without places matters only for whether there are others, and whether somebody light is among them.
        for caller in state.recent.keys().filter_map(|key| state.idle.get(key)).filter(|caller| caller.is_there(now)) {
            if there > 1 && calmest == Standing::Light {
                break;
            }
            there += 1;
            calmest = calmest.min(caller.standing(limits, now));
        }
        let (for_heavy, for_new) = match calmest {
            Standing::Light => (limits.heavy, limits.new),
            Standing::New => (limits.heavy, self.places),
            Standing::Heavy => (limits.heavy_alone, self.places),
        };
        Reach { is_alone: there <= 1, heavy: held_by_heavy < for_heavy, new: held_by_new < for_new }
    }

    /// The waiting caller that gets the next place.
    fn next_caller(&self, state: &State<K>, now: Instant) -> Option<K> {
        let reach = self.reach(state, now);
        let mut best: Option<(Rank, &K)> = None;
        for (key, caller) in &state.active {
            let Some((first, _)) = caller.line.front() else { continue };
            let standing = caller.standing(&self.limits, now);
            let rank = (standing == Standing::Heavy, caller.held(), caller.served, *first);
            if reach.allows(caller, standing, &self.limits) && best.is_none_or(|(other, _)| rank < other) {
                best = Some((rank, key));
            }
        }
        best.map(|(_, key)| key.clone())
    }
}

/// What is within reach of whom.
struct Reach {
    /// Whether nobody else is there.
    is_alone: bool,
    /// Whether heavy callers may take one more.
    heavy: bool,
    /// Whether new ones may.
    new: bool,
}

impl Reach {
    /// Whether the caller may take one more place.
    fn allows<W>(&self, caller: &Caller<W>, standing: Standing, limits: &Limits) -> bool {
        let of_standing = match standing {
            Standing::Light => true,
            Standing::New => self.new,
            Standing::Heavy => self.heavy,
        };
        self.is_alone || (caller.held() < limits.one && of_standing)
    }
}

impl<K: Key> State<K> {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The caller, which is about to wait for a place or to take one.
    fn enter(&mut self, key: &K, now: Instant) -> &mut Waiters<K> {
        let idle = &mut self.idle;
        self.active.entry(key.clone()).or_insert_with(|| idle.remove(key).unwrap_or_else(|| Caller::new(now)))
    }

    /// Remembers a caller as idle if it neither holds nor waits for a place.
    fn settle(&mut self, key: &K, limits: &Limits, now: Instant) {
        if self.active.get(key).is_none_or(|caller| caller.held() > 0 || !caller.line.is_empty()) {
            return;
        }
        let Some(caller) = self.active.remove(key) else { return };
        self.recent.note(key, caller.standing(limits, now));
        // Callers that were not there for long are forgotten when there are many.
        if self.idle.len() >= self.full {
            self.idle.retain(|_, caller| !caller.is_forgotten(limits, now));
            self.full = (self.idle.len() * 2).max(MIN_REMEMBERED);
        }
        self.idle.insert(key.clone(), caller);
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
        let Some(caller) = state.active.get_mut(&self.key) else { return };
        if let Some(index) = caller.line.iter().position(|(id, _)| *id == self.id) {
            caller.line.remove(index);
            state.waiting -= 1;
            state.settle(&self.key, &self.shared.limits, Instant::now());
        }
    }
}

impl<K: Key> Drop for Place<K> {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        state.taken = state.taken.saturating_sub(1);
        if let Some(caller) = state.active.get_mut(&self.key) {
            caller.give_back(self.since, &self.shared.limits, now);
        }
        state.settle(&self.key, &self.shared.limits, now);
        let handed = self.shared.hand_out(&mut state, now);
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
