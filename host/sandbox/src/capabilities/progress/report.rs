//! What a tool tells of a call while it goes on.

use std::sync::Arc;

use crate::memory::Charge;

/// What a tool tells of a call while it goes on.
#[derive(Clone, Debug)]
pub enum Report {
    /// How far it is.
    Progress(Progress),
    /// A part of its result.
    Part(Part),
}

/// A part of a result, before the rest.
#[derive(Clone, Debug)]
pub struct Part {
    /// One JSON value.
    pub json: String,
    /// The part counts against its call's memory until it is read.
    pub(crate) _charge: Arc<Charge>,
}

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
