//! The place of a run among those that work at once on this host. A run that waits for a person, or for an agent that it asked, gives
//! it to others meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use behalf_fair_queue::{FairQueue, Place};
use behalf_identity::CallerKey;

/// Runs that wait without a place on one host. Each holds its conversation in memory, so others keep their places while they wait.
const MAX_ASIDE: usize = 10_000;

/// The places of a host.
#[derive(Clone, Debug)]
pub(super) struct RunPlaces {
    queue: Arc<FairQueue<CallerKey>>,
    aside: Arc<AtomicUsize>,
}

/// The place of one run.
#[derive(Debug)]
pub(crate) struct RunPlace {
    places: RunPlaces,
    key: CallerKey,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    place: Option<Place<CallerKey>>,
    /// What of the run waits.
    waiting: usize,
    /// Whether the run is counted among those that wait without a place.
    is_aside: bool,
}

impl RunPlaces {
    /// The places of this queue.
    pub(super) fn new(queue: FairQueue<CallerKey>) -> Self {
        Self { queue: Arc::new(queue), aside: Arc::default() }
    }

    /// The queue in which runs wait for a place before they begin.
    pub(super) fn queue(&self) -> &FairQueue<CallerKey> {
        &self.queue
    }

    /// The place of a run that was begun with `place`.
    pub(super) fn of_run(&self, key: CallerKey, place: Place<CallerKey>) -> RunPlace {
        let held = Held { place: Some(place), waiting: 0, is_aside: false };
        RunPlace { places: self.clone(), key, held: Mutex::new(held) }
    }
}

impl RunPlace {
    /// Waits for `other` without a place, and afterwards for a place.
    pub(crate) async fn aside<T>(&self, other: impl Future<Output = T>) -> T {
        self.give_back();
        let done = other.await;
        self.take_back().await;
        done
    }

    fn give_back(&self) {
        let mut held = self.lock();
        held.waiting = held.waiting.saturating_add(1);
        if held.place.is_some() && self.places.aside.fetch_add(1, Ordering::AcqRel) < MAX_ASIDE {
            held.is_aside = true;
            held.place = None;
        } else if held.place.is_some() {
            self.places.aside.fetch_sub(1, Ordering::AcqRel);
        }
    }

    async fn take_back(&self) {
        {
            let mut held = self.lock();
            held.waiting = held.waiting.saturating_sub(1);
            if held.waiting > 0 || held.place.is_some() {
                return;
            }
        }
        let place = self.places.queue.acquire(self.key).await;
        let mut held = self.lock();
        held.place = Some(place);
        if std::mem::take(&mut held.is_aside) {
            self.places.aside.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RunPlace {
    fn drop(&mut self) {
        if self.lock().is_aside {
            self.places.aside.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use behalf_fair_queue::Work;
    use uuid::Uuid;

    use super::*;

    const ALICE: CallerKey = CallerKey::User(Uuid::from_u128(1));
    const BOB: CallerKey = CallerKey::User(Uuid::from_u128(2));

    #[tokio::test]
    async fn a_run_that_waits_gives_its_place_to_others_and_gets_one_again() {
        let places = RunPlaces::new(FairQueue::new(1, Work::Long));
        let first = places.queue().acquire_within(ALICE, Duration::ZERO).await.expect("there is one place");
        let run = places.of_run(ALICE, first);
        assert!(places.queue().acquire_within(BOB, Duration::ZERO).await.is_none());
        let (decide, decided) = tokio::sync::oneshot::channel::<()>();
        let mut waiting = Box::pin(run.aside(decided));
        assert!(futures::poll!(&mut waiting).is_pending());
        let other = places.queue().acquire_within(BOB, Duration::ZERO).await.expect("the place is free meanwhile");
        decide.send(()).expect("it waits");
        assert!(futures::poll!(&mut waiting).is_pending(), "the other one has the place");
        drop(other);
        waiting.await.expect("it was decided");
        assert!(places.queue().acquire_within(BOB, Duration::ZERO).await.is_none(), "the run has its place again");
        drop(run);
        assert!(places.queue().acquire_within(BOB, Duration::ZERO).await.is_some());
        assert_eq!(places.aside.load(Ordering::Acquire), 0);
    }
}
