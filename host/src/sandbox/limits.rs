use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::grants::Grants;

/// The longest a call may take where nothing else was granted.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// No grant goes beyond five minutes: a call is no job.
const MAX_TIMEOUT: Duration = Duration::from_mins(5);
/// Enough for a Python guest with its data.
const DEFAULT_MEMORY: u64 = 64 * MIB;
/// The size of a memory slot in the pool.
pub(super) const MAX_MEMORY: u64 = 512 * MIB;
/// A result goes to a model or a client; a megabyte is a long text for either.
const DEFAULT_OUTPUT: u64 = MIB;
/// What may be copied into the host at once.
const MAX_OUTPUT: u64 = 16 * MIB;
/// Elements of all tables together; guests have thousands.
const MAX_TABLE_ELEMENTS: usize = 200_000;
/// Where the pool sets aside room for one table.
pub(super) const TABLE_ELEMENTS: usize = 50_000;

const MIB: u64 = 1024 * 1024;

/// Bounds of one call. There is no default: a store without bounds cannot be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallLimits {
    pub(super) timeout: Duration,
    pub(super) memory_bytes: usize,
    pub(super) output_bytes: usize,
}

impl CallLimits {
    /// What the grants say, within the host's own bounds. Zero means the default: a call that may do nothing is no call.
    pub(super) fn from_grants(grants: &Grants) -> Self {
        let limits = grants.limits.clone().unwrap_or_default();
        let pick = |asked: Option<u64>, default: u64, max: u64| asked.filter(|n| *n > 0).unwrap_or(default).min(max);
        let timeout =
            limits.timeout_ms.filter(|ms| *ms > 0).map_or(DEFAULT_TIMEOUT, Duration::from_millis).min(MAX_TIMEOUT);
        let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        Self {
            timeout,
            memory_bytes: bytes(pick(limits.memory_bytes, DEFAULT_MEMORY, MAX_MEMORY)),
            output_bytes: bytes(pick(limits.output_bytes, DEFAULT_OUTPUT, MAX_OUTPUT)),
        }
    }
}

/// Counts what the guest's memories and tables hold together; wasmtime asks per memory.
#[derive(Debug)]
pub(super) struct Meter {
    limit: usize,
    used: usize,
    elements: usize,
    /// Set once the guest was refused, so that the crash that follows is named rightly.
    pub(super) refused: bool,
}

impl Meter {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: 0, elements: 0, refused: false }
    }

    /// Bytes of all memories. They never shrink, so this is also the most there was.
    pub(super) fn used(&self) -> usize {
        self.used
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let fits = self.used.saturating_add(more) <= self.limit;
        if !fits {
            self.refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.used += more;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if self.elements.saturating_add(more) > MAX_TABLE_ELEMENTS {
            self.refused = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements += more;
        Ok(true)
    }
}
