//! A fixed number of places that callers share fairly, such as database connections.
//!
//! Each caller has a waiting line of its own. A free place goes to the waiting caller that holds the fewest places; among
//! equals the turn goes round. A caller that is alone may hold all places. This crate knows neither callers nor places: a
//! caller is any key, and a place is a value that frees itself when it is dropped.
//!
//! Places cannot be taken back, so callers with long work could hold all of them at the moment at which somebody else
//! comes. What a caller will do is told by what it did lately. A caller is *heavy* if it held one place for long, or places for
//! much of the time; it stays so until it has used far less for a while. A caller that gave fewer than four places back is
//! *new*. How many places are within reach, as long as somebody else called in the last minute, depends on the [`Work`]:
//!
//! | places for | short work | mixed work | long work |
//! | --- | --- | --- | --- |
//! | one caller | 1/2 | 1/2 | 3/4 |
//! | all heavy callers together | 1/4 | 1/2 | 3/4 |
//! | all new callers together | 1/4 | 1/4 | all |
//! | heavy is who held one place for | 1 s | 5 s | 5 s |
//! | or places, of the last seconds, for | 2 s | 10 s | 10 s |
//!
//! Heavy callers come after the others. When all callers are heavy, they have three quarters. Of fewer than four places, none is
//! kept free.
//!
//! A waiter that is dropped leaves nothing behind, also when its place is already on the way to it.

mod caller;
mod limits;
mod queue;
mod recent;
#[cfg(test)]
mod tests;

use std::hash::Hash;

pub use limits::Work;
pub use queue::{FairQueue, Place};

/// What a caller is told apart by.
pub trait Key: Clone + Eq + Hash + Send + 'static {}

impl<K: Clone + Eq + Hash + Send + 'static> Key for K {}
