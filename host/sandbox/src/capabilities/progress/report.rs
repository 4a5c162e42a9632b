//! A report of how far a call is.

use std::sync::Arc;

use crate::memory::Charge;

/// A report of how far a call is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// All units, where their number is known.
    pub total: Option<u64>,
    /// A sentence for people.
    pub message: Option<String>,
    /// The report counts against its call's memory until it is read.
    pub(crate) _charge: Arc<Charge>,
}
