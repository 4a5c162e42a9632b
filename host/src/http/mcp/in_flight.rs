use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{AbortHandle, AbortRegistration};
use sha2::{Digest, Sha256};

/// Who made a request, and the number they gave it. Numbers are each client's own, so the token is part of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct RequestKey {
    bearer: [u8; 32],
    caller: String,
    id: String,
}

/// The calls of this process that can be cancelled by a message of their own.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<Mutex<HashMap<RequestKey, Vec<AbortHandle>>>>);

/// A call that is made. Dropped, it can no longer be cancelled.
#[derive(Debug)]
pub(super) struct Entry {
    calls: InFlight,
    key: RequestKey,
    handle: AbortHandle,
}

impl RequestKey {
    /// `caller` tells apart whom one service key acts for.
    pub(super) fn new(bearer: &[u8], caller: &str, id: &str) -> Self {
        Self { bearer: Sha256::digest(bearer).into(), caller: caller.to_owned(), id: id.to_owned() }
    }
}

impl InFlight {
    /// Notes a call that begins.
    pub(super) fn enter(&self, key: RequestKey) -> (Entry, AbortRegistration) {
        let (handle, registration) = AbortHandle::new_pair();
        self.lock().entry(key.clone()).or_default().push(handle.clone());
        (Entry { calls: self.clone(), key, handle }, registration)
    }

    /// Ends the call of this number. Two programs with one token may both have one; which is meant nobody can say, so
    /// both go on.
    pub(super) fn cancel(&self, key: &RequestKey) {
        if let Some([only]) = self.lock().get(key).map(Vec::as_slice) {
            only.abort();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestKey, Vec<AbortHandle>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Marks this one, and no other of the same key, as the one to take out.
        self.handle.abort();
        let mut calls = self.calls.lock();
        if let Some(handles) = calls.get_mut(&self.key) {
            handles.retain(|handle| !handle.is_aborted());
            if handles.is_empty() {
                calls.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_call_that_is_meant_is_cancelled() {
        let calls = InFlight::default();
        let key = |bearer: &str, id| RequestKey::new(bearer.as_bytes(), "user", id);
        let (mine, _) = calls.enter(key("a", "1"));
        let (other, _) = calls.enter(key("b", "1"));
        calls.cancel(&key("a", "2"));
        calls.cancel(&key("a", "1"));
        assert!(mine.handle.is_aborted() && !other.handle.is_aborted());
        drop(mine);
        let (twin, _) = calls.enter(key("b", "1"));
        calls.cancel(&key("b", "1"));
        assert!(!other.handle.is_aborted() && !twin.handle.is_aborted(), "which is meant nobody can say");
        drop(twin);
        calls.cancel(&key("b", "1"));
        assert!(other.handle.is_aborted());
        drop(other);
        assert!(calls.lock().is_empty());
    }
}
