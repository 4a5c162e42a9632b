//! Progress of a long call, shown to the caller as it happens.

/// Says that `done` of `total` units are behind the tool, and what it turns to now. `total` is a number, or `None` where
/// nobody knows it yet.
pub fn report(done: u64, total: impl Into<Option<u64>>, message: &str) {
    crate::door::progress::report(done, total.into(), Some(message));
}
