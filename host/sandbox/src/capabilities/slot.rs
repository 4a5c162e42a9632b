//! A place for a part that is made after the sandbox.

use std::sync::{Arc, OnceLock};

/// A place for a part that needs something that is made after the sandbox. Until it is filled, calls hear that the part is not there.
/// Clones share it.
#[derive(Debug)]
pub struct LateSlot<T: ?Sized>(Arc<OnceLock<Arc<T>>>);

impl<T: ?Sized> LateSlot<T> {
    /// Fills it. What is in it stays.
    pub fn fill(&self, part: Arc<T>) {
        // A second part would be another store for the same calls.
        let _kept = self.0.set(part);
    }

    pub(super) fn get(&self) -> Option<&Arc<T>> {
        self.0.get()
    }
}

impl<T: ?Sized> Default for LateSlot<T> {
    fn default() -> Self {
        Self(Arc::new(OnceLock::new()))
    }
}

impl<T: ?Sized> Clone for LateSlot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
