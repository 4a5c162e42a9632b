//! How many files one caller may be sending at once, so that nobody takes all of a host's connections and disk for themselves.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use behalf_identity::CallerKey;
use behalf_problem::RateLimit;
use behalf_web::TooMany;

/// Files that one caller may be sending at once, on each host. Browsers open no more connections to one host.
const MOST: u32 = 8;

/// The uploads that are open, by caller.
#[derive(Debug, Default)]
pub(crate) struct OpenUploads(Arc<Mutex<HashMap<CallerKey, u32>>>);

/// The place of one upload. Dropped, it is free.
#[derive(Debug)]
pub(crate) struct UploadPlace {
    open: Arc<Mutex<HashMap<CallerKey, u32>>>,
    key: CallerKey,
}

impl OpenUploads {
    /// Takes a place. The service role in its own name is the app's server, which needs no bound by caller.
    pub(crate) fn take(&self, key: CallerKey) -> Result<UploadPlace, TooMany> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_default();
        if *count >= MOST && !matches!(key, CallerKey::Role(_)) {
            let wait = Duration::from_secs(1);
            return Err(TooMany(RateLimit { limit: "uploads of this user at once", allowed: MOST, wait }));
        }
        *count += 1;
        Ok(UploadPlace { open: Arc::clone(&self.0), key })
    }
}

impl Drop for UploadPlace {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn one_caller_has_some_places_and_leaves_the_others_theirs() {
        let uploads = OpenUploads::default();
        let (one, two) = (CallerKey::User(Uuid::from_u128(1)), CallerKey::User(Uuid::from_u128(2)));
        let held: Vec<_> = (0..MOST).map(|_| uploads.take(one).expect("a place")).collect();
        assert!(uploads.take(one).is_err_and(|refused| refused.0.allowed == MOST));
        assert!(uploads.take(two).is_ok());
        drop(held);
        assert!(uploads.take(one).is_ok());
        assert!(uploads.0.lock().expect("no panic").is_empty(), "who has none is forgotten");
    }
}
