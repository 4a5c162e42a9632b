//! How many uploads a host takes at the same time, of one caller and of all.
//!
//! An upload keeps a connection, a file or a part of one in memory, and now and then a connection to the database. So there is a fixed
//! number of places, which callers share fairly; who finds none waits in a line of their own, with nothing read of the body. And one
//! caller has no more uploads than some, those that wait included: beyond that, an upload is refused at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use behalf_fair_queue::{FairQueue, Place, Work};
use behalf_identity::CallerKey;

use crate::error::StorageError;
use crate::options::UploadLimits;

/// The places for uploads.
#[derive(Debug)]
pub(crate) struct UploadPlaces {
    /// None where any number may be taken at once.
    places: Option<FairQueue<CallerKey>>,
    max_wait: Duration,
    most_of_one: Option<usize>,
    of_callers: Arc<OfCallers>,
}

/// The uploads of each caller that has some.
#[derive(Debug, Default)]
struct OfCallers(Mutex<HashMap<CallerKey, usize>>);

/// An upload that is taken. Dropped, its place is free.
#[derive(Debug)]
pub(crate) struct UploadPlace {
    _counted: Counted,
    _place: Option<Place<CallerKey>>,
}

/// One of the uploads of a caller.
#[derive(Debug)]
struct Counted {
    of_callers: Arc<OfCallers>,
    key: CallerKey,
}

impl UploadPlaces {
    /// So many places.
    pub(crate) fn new(limits: UploadLimits) -> Self {
        let UploadLimits { at_once, of_one, max_wait } = limits;
        Self {
            places: at_once.map(|places| FairQueue::new(places, Work::Long)),
            max_wait,
            most_of_one: of_one,
            of_callers: Arc::default(),
        }
    }

    /// Waits for a place. Dropped, this leaves the line.
    pub(crate) async fn take(&self, key: CallerKey) -> Result<UploadPlace, StorageError> {
        let counted = Counted::new(&self.of_callers, key);
        if self.most_of_one.is_some_and(|most| counted.all() > most) {
            return Err(StorageError::too_many_uploads());
        }
        let place = match &self.places {
            None => None,
            Some(places) => Some(places.acquire_within(key, self.max_wait).await.ok_or_else(StorageError::no_place)?),
        };
        Ok(UploadPlace { _counted: counted, _place: place })
    }
}

impl OfCallers {
    fn all(&self) -> MutexGuard<'_, HashMap<CallerKey, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn new(of_callers: &Arc<OfCallers>, key: CallerKey) -> Self {
        *of_callers.all().entry(key).or_default() += 1;
        Self { of_callers: Arc::clone(of_callers), key }
    }

    /// How many this caller has now, this one included.
    fn all(&self) -> usize {
        self.of_callers.all().get(&self.key).copied().unwrap_or_default()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.of_callers.all();
        if let Some(count) = all.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const ONE: CallerKey = CallerKey::User(Uuid::from_u128(1));
    const OTHER: CallerKey = CallerKey::User(Uuid::from_u128(2));

    fn places(at_once: Option<usize>, of_one: Option<usize>) -> UploadPlaces {
        UploadPlaces::new(UploadLimits { at_once, of_one, max_wait: Duration::ZERO })
    }

    #[tokio::test]
    async fn a_caller_has_no_more_than_some_and_nobody_else_pays_for_it() {
        let places = places(None, Some(2));
        let (first, _second) = (places.take(ONE).await.expect("a place"), places.take(ONE).await.expect("a place"));
        let refused = places.take(ONE).await.expect_err("a third one");
        assert_eq!((refused.status.as_u16(), refused.problem.code), (429, "SlowDown"));
        places.take(OTHER).await.expect("a place of the other's");
        drop(first);
        places.take(ONE).await.expect("the place that is free again");
    }

    #[tokio::test]
    async fn a_full_host_says_so_and_forgets_who_went_away() {
        let places = places(Some(1), None);
        let place = places.take(ONE).await.expect("a place");
        let refused = places.take(OTHER).await.expect_err("no place is left");
        assert_eq!((refused.status.as_u16(), refused.problem.code), (503, "SlowDown"));
        drop(place);
        assert!(places.of_callers.all().is_empty(), "who has no upload is not remembered");
        places.take(OTHER).await.expect("a place");
    }
}
