//! Progress of a long call, shown to the caller as it happens.

/// Says that `done` of `total` units are behind the tool, and what it turns to now.
pub fn report(done: u64, total: u64, message: &str) {
    crate::bindings::behalf::tool::progress::report(done, Some(total), Some(message));
}
