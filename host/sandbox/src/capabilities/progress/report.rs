//! A report of how far a call is.

/// A report of how far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// All units, where their number is known.
    pub total: Option<u64>,
    /// A sentence for people.
    pub message: Option<String>,
}
