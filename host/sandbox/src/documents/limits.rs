//! What reading one document may cost, and the meter that counts what the component takes.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::limits::Meter;
use crate::memory::Memory;

const MIB: usize = 1024 * 1024;

/// What reading one document may cost. The component has bounds of its own; these hold where it does not keep them.
#[derive(Clone, Copy, Debug)]
pub struct DocumentLimits {
    /// Bytes of all memory of the component.
    pub memory_bytes: usize,
    /// Processor time. Waiting for whoever takes the pages does not count.
    pub processor_time: Duration,
    /// Time from the start to the end, however little of it the reader got a processor.
    pub wall_time: Duration,
    /// Pages of a document.
    pub pages: u32,
    /// Bytes of the text of all pages together, with the pages' names.
    pub text_bytes: usize,
    /// Bytes of the text of one page.
    pub page_bytes: usize,
}

impl Default for DocumentLimits {
    /// A document whose text has a hundred times the length of a book is read; a minute of processor time is more than the largest one
    /// of them needs.
    fn default() -> Self {
        Self {
            memory_bytes: 512 * MIB,
            processor_time: Duration::from_mins(2),
            wall_time: Duration::from_mins(10),
            pages: 100_000,
            text_bytes: 64 * MIB,
            page_bytes: 8 * MIB,
        }
    }
}

impl DocumentLimits {
    /// Bytes that the component may pass to the host in one call: a page, and a little for its name. The longest summary is shorter.
    pub(super) fn hostcall_bytes(&self) -> usize {
        self.page_bytes.saturating_add(64 * 1024)
    }
}

/// Counts memories, tables and instances. A component that a compiler made has few of each.
#[derive(Debug)]
pub(super) struct DocumentMeter(Meter);

impl DocumentMeter {
    pub(super) fn new(memory: Memory) -> Self {
        Self(Meter::new(memory))
    }
}

impl ResourceLimiter for DocumentMeter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.0.memory_growing(current, desired, maximum)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.0.table_growing(current, desired, maximum)
    }

    fn instances(&self) -> usize {
        32
    }

    fn tables(&self) -> usize {
        32
    }

    fn memories(&self) -> usize {
        4
    }
}
