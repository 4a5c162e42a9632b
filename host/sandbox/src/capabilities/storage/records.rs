//! The records of the operations that a call made on objects.

use serde::Serialize;

/// Operations of one call, refused ones included.
const MAX_OPERATIONS: usize = 200;

/// One operation of a call on objects, for the audit log. Never the name of an object: that is the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageRecord {
    /// `storage.list`, `storage.read`, `storage.write`, `storage.remove` or `storage.sign`.
    pub operation: &'static str,
    /// The bucket, where it was one that the plugin was granted.
    pub bucket: Option<String>,
    /// Bytes read or written.
    pub bytes: u64,
    /// The code of its failure.
    pub error: Option<&'static str>,
}

/// The records of one call.
#[derive(Debug, Default)]
pub(super) struct Records(Vec<StorageRecord>);

impl Records {
    /// Adds an operation that has not ended, while there is room.
    pub(super) fn begin(&mut self, operation: &'static str) -> bool {
        let has_room = self.0.len() < MAX_OPERATIONS;
        if has_room {
            self.0.push(StorageRecord { operation, bucket: None, bytes: 0, error: Some("interrupted") });
        }
        has_room
    }

    /// The operation that runs now.
    pub(super) fn current(&mut self) -> Option<&mut StorageRecord> {
        self.0.last_mut()
    }

    pub(super) fn take(&mut self) -> Vec<StorageRecord> {
        std::mem::take(&mut self.0)
    }
}
