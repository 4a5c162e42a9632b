//! The records of what a call did through a capability that searches or keeps texts.

use serde::Serialize;

/// One operation of a call, for the audit log. Never a text: those are the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperationRecord {
    /// `knowledge.search`, `memory.remember`, `memory.recall` or `memory.forget`.
    pub operation: &'static str,
    /// How many passages or memories were found, kept or removed.
    pub results: usize,
    /// The code of its failure.
    pub error: Option<&'static str>,
}

/// The operations of one call, refused ones included.
#[derive(Debug, Default)]
pub(super) struct Operations(Vec<OperationRecord>);

impl Operations {
    /// Adds an operation that has not ended, while there are fewer than `most`. A call that ends in the middle of one leaves it so.
    pub(super) fn begin(&mut self, operation: &'static str, most: usize) -> bool {
        let has_room = self.0.len() < most;
        if has_room {
            self.0.push(OperationRecord { operation, results: 0, error: Some("interrupted") });
        }
        has_room
    }

    /// Ends the operation that runs now.
    pub(super) fn end(&mut self, outcome: Result<usize, &'static str>) {
        if let Some(record) = self.0.last_mut() {
            (record.results, record.error) = outcome.map_or_else(|code| (0, Some(code)), |results| (results, None));
        }
    }

    pub(super) fn take(&mut self) -> Vec<OperationRecord> {
        std::mem::take(&mut self.0)
    }
}
