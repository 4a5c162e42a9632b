//! The limits of one call, and the meter that counts what its guest takes.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wasmtime::ResourceLimiter;

use crate::memory::Memory;

/// The longest a call may take where nothing else was granted.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// No grant goes beyond five minutes: longer work belongs into a job.
const MAX_TIMEOUT: Duration = Duration::from_mins(5);
/// Enough for a Python guest with its data.
const DEFAULT_MEMORY: u64 = 64 * MIB;
/// The size of a memory slot in the pool.
pub(crate) const MAX_MEMORY: u64 = 512 * MIB;
/// A result goes to a model or a client; a megabyte is a long text for either.
const DEFAULT_OUTPUT: u64 = MIB;
/// The most bytes that may be copied into the host at once.
const MAX_OUTPUT: u64 = 16 * MIB;
/// Elements of all tables together; guests have thousands.
const MAX_TABLE_ELEMENTS: usize = 200_000;
/// Elements of one table that the pool has room for.
pub(crate) const TABLE_ELEMENTS: usize = 50_000;

const MIB: u64 = 1024 * 1024;

/// Limits of one call, as an operator sets them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitGrants {
    /// Wall-clock milliseconds, host waits included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Bytes of all linear memories together, with what the host keeps for the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Bytes of a result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
}

/// Limits of one call, as they are in force. There is no default: a store without limits cannot be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallLimits {
    pub(crate) timeout: Duration,
    pub(crate) memory_bytes: usize,
    pub(crate) output_bytes: usize,
}

impl CallLimits {
    /// The granted limits, within the host's own. Zero and an absent limit mean the default: with a limit of zero no call
    /// could run.
    pub(crate) fn from_grant(grant: Option<&LimitGrants>) -> Self {
        const NONE: LimitGrants = LimitGrants { timeout_ms: None, memory_bytes: None, output_bytes: None };
        let limits = grant.unwrap_or(&NONE);
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

    /// Whether any of these limits is higher than in `other`.
    pub(crate) fn exceed(&self, other: &Self) -> bool {
        self.timeout > other.timeout || self.memory_bytes > other.memory_bytes || self.output_bytes > other.output_bytes
    }
}

/// Counts the guest's memories and tables; wasmtime asks for each one alone.
#[derive(Debug)]
pub(crate) struct Meter {
    memory: Memory,
    elements: usize,
}

impl Meter {
    pub(crate) fn new(memory: Memory) -> Self {
        Self { memory, elements: 0 }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        // Memories never shrink.
        Ok(self.memory.reserve(desired.saturating_sub(current)).is_ok())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if self.elements.saturating_add(more) > MAX_TABLE_ELEMENTS {
            self.memory.refuse();
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements += more;
        Ok(true)
    }
}
