//! A fixed number of places that callers share fairly, such as database connections.
//!
//! Each caller has a waiting line of its own. A free place goes to the waiting caller that holds the fewest places; among
//! equals the turn goes round. A caller that is alone may hold all places. This crate knows neither callers nor places: a
//! caller is any key, and a place is a value that frees itself when it is dropped.
//!
//! Places cannot be taken back, so callers with long work could hold all of them at the moment at which somebody else
//! comes. Therefore a quarter of the places is out of reach, as long as others have called in the last minute, for
//!
//! * a caller that holds the other three quarters, and
//! * callers that used places for more than five seconds lately, all together. They also come after the others.
//!
//! A waiter that is dropped leaves nothing behind, also when its place is already on the way to it.

mod caller;
mod queue;
#[cfg(test)]
mod tests;

use std::hash::Hash;

pub use queue::{FairQueue, Place};

/// What a caller is told apart by.
pub trait Key: Clone + Eq + Hash + Send + 'static {}

impl<K: Clone + Eq + Hash + Send + 'static> Key for K {}
