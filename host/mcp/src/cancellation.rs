//! The calls under way, so that `notifications/cancelled` finds the one it names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::{AbortHandle, AbortRegistration};
use sha2::{Digest, Sha256};

/// A request's caller, token and id. Clients choose the ids themselves, so two clients may have the same one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    bearer: [u8; 32],
    caller: String,
    id: String,
}

/// The calls of this process that a message can cancel.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallRegistry(Arc<Mutex<HashMap<RequestKey, Vec<AbortHandle>>>>);

/// A call under way. Once it is dropped, the call can no longer be cancelled.
#[derive(Debug)]
pub(crate) struct Entry {
    calls: CallRegistry,
    key: RequestKey,
    handle: AbortHandle,
}

impl RequestKey {
    /// `caller` tells apart the users that one service key acts for.
    pub(crate) fn new(bearer: &[u8], caller: &str, id: &str) -> Self {
        Self { bearer: Sha256::digest(bearer).into(), caller: caller.to_owned(), id: id.to_owned() }
    }
}

impl CallRegistry {
    /// Registers a call that begins.
    pub(crate) fn enter(&self, key: RequestKey) -> (Entry, AbortRegistration) {
        let (handle, registration) = AbortHandle::new_pair();
        self.lock().entry(key.clone()).or_default().push(handle.clone());
        (Entry { calls: self.clone(), key, handle }, registration)
    }

    /// Ends the call of this key. Where two programs share a token and both have a call of this id, nobody can say which one
    /// is meant, and both go on.
    pub(crate) fn cancel(&self, key: &RequestKey) {
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
        // Marks this entry, and no other of the same key, as the one to remove.
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
        let calls = CallRegistry::default();
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
