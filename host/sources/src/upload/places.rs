//! How many files a host takes at the same time, of one caller and of all, so that nobody takes its connections, its memory and its
//! disk for themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use behalf_fair_queue::{FairQueue, Place, Work};
use behalf_identity::CallerKey;
use behalf_problem::{Kind, RateLimit};
use behalf_web::{ApiError, TooMany};

/// Files that one caller may be sending at once, on each host, those that wait included. Browsers open no more connections to one host.
const MOST_OF_ONE: u32 = 8;

/// The uploads that are open.
#[derive(Debug)]
pub(crate) struct OpenUploads {
    /// None where any number may be taken at once.
    places: Option<FairQueue<CallerKey>>,
    max_wait: Duration,
    of_callers: Arc<OfCallers>,
}

/// How many each caller has, if any.
#[derive(Debug, Default)]
struct OfCallers(Mutex<HashMap<CallerKey, u32>>);

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

impl OpenUploads {
    /// So many places. Who finds none waits for so long, with nothing read of the body.
    pub(crate) fn new(at_once: Option<usize>, max_wait: Duration) -> Self {
        let places = at_once.map(|places| FairQueue::new(places, Work::Long));
        Self { places, max_wait, of_callers: Arc::default() }
    }

    /// Waits for a place; dropped, this leaves the line. The service role in its own name is the app's server, which has no bound of
    /// its own.
    pub(crate) async fn take(&self, key: CallerKey) -> Result<UploadPlace, ApiError> {
        let counted = Counted::new(&self.of_callers, key);
        if counted.all() > MOST_OF_ONE && !matches!(key, CallerKey::Role(_)) {
            let (limit, wait) = ("uploads of this user at once", Duration::from_secs(1));
            return Err(TooMany(RateLimit { limit, allowed: MOST_OF_ONE, wait }).into());
        }
        let full = || ApiError::new(Kind::Busy, "the host takes no more uploads right now; try again shortly");
        let place = match &self.places {
            None => None,
            Some(places) => Some(places.acquire_within(key, self.max_wait).await.ok_or_else(full)?),
        };
        Ok(UploadPlace { _counted: counted, _place: place })
    }
}

impl OfCallers {
    fn all(&self) -> MutexGuard<'_, HashMap<CallerKey, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn new(of_callers: &Arc<OfCallers>, key: CallerKey) -> Self {
        *of_callers.all().entry(key).or_default() += 1;
        Self { of_callers: Arc::clone(of_callers), key }
    }

    /// How many this caller has now, this one included.
    fn all(&self) -> u32 {
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
    use behalf_identity::Role;
    use tokio::time::Instant;
    use uuid::Uuid;

    use super::*;

    const WAIT: Duration = Duration::from_secs(15);
    const SERVICE: CallerKey = CallerKey::Role(Role::Service);

    fn user(number: u128) -> CallerKey {
        CallerKey::User(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn one_caller_has_some_places_and_leaves_the_others_theirs() {
        let uploads = OpenUploads::new(None, WAIT);
        let mut held = Vec::new();
        for _ in 0..MOST_OF_ONE {
            held.push(uploads.take(user(1)).await.expect("a place"));
        }
        let refused = uploads.take(user(1)).await.expect_err("one too many");
        assert_eq!(refused.status(), 429, "{refused}");
        assert!(uploads.take(user(2)).await.is_ok());
        for _ in 0..=MOST_OF_ONE {
            held.push(uploads.take(SERVICE).await.expect("the app's server has no bound"));
        }
        drop(held);
        assert!(uploads.take(user(1)).await.is_ok());
        assert!(uploads.of_callers.all().is_empty(), "who has none is forgotten");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_gets_the_next_place_or_hears_that_the_host_is_full() {
        let uploads = OpenUploads::new(Some(1), WAIT);
        let place = uploads.take(user(1)).await.expect("a place");
        let began = Instant::now();
        let refused = uploads.take(user(2)).await.expect_err("no place is left");
        assert_eq!((refused.status().as_u16(), began.elapsed()), (503, WAIT), "{refused}");
        let waiting = uploads.take(user(2));
        let later = async {
            tokio::time::sleep(WAIT / 2).await;
            drop(place);
        };
        let (taken, ()) = tokio::join!(waiting, later);
        assert!(taken.is_ok(), "the place was free in time");
    }

    /// Those that wait count as well: else one caller could have any number of open requests.
    #[tokio::test(start_paused = true)]
    async fn who_waits_counts_and_who_goes_away_does_not() {
        let uploads = OpenUploads::new(Some(1), WAIT);
        let _place = uploads.take(user(2)).await.expect("a place");
        let mut waiting: Vec<_> = (0..MOST_OF_ONE).map(|_| Box::pin(uploads.take(user(1)))).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        assert_eq!(uploads.take(user(1)).await.expect_err("one too many").status(), 429);
        drop(waiting);
        assert!(!uploads.of_callers.all().contains_key(&user(1)), "who has gone away is remembered");
    }
}
