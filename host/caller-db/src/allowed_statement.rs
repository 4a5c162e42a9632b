//! A statement that may run: one that the gate allowed, or one of the host's own.

use behalf_gate::{ParameterBound, Verdict};

/// A statement that may run.
pub(crate) struct Statement<'a> {
    pub(crate) text: &'a str,
    pub(crate) fingerprint: &'a str,
    pub(crate) returns_rows: bool,
    pub(crate) writes: bool,
    /// How many parameters it takes.
    pub(crate) parameters: usize,
    pub(crate) parameter_bounds: &'a [ParameterBound],
}

impl<'a> From<&'a Verdict> for Statement<'a> {
    fn from(verdict: &'a Verdict) -> Self {
        Self {
            text: &verdict.statement,
            fingerprint: &verdict.fingerprint,
            returns_rows: verdict.returns_rows,
            writes: verdict.writes,
            parameters: verdict.parameters,
            parameter_bounds: &verdict.parameter_bounds,
        }
    }
}
