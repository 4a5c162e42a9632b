//! The part of a call's state that all its capabilities share.

use wasmtime::component::ResourceTable;

use super::wasi::lite::Lite;

/// Calls into the host that one call may make. A loop of them ends here rather than at the deadline.
const MAX_HOST_CALLS: u32 = 50_000;

/// Handles of WASI resources one call may hold.
const MAX_RESOURCES: usize = 1_000;

/// The part of a call's state that all its capabilities share.
pub(crate) struct Base {
    pub(crate) host_calls: HostCalls,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: Lite,
}

impl Default for Base {
    fn default() -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self { host_calls: HostCalls::default(), table, wasi: Lite::default() }
    }
}

/// Counts calls into the host.
#[derive(Debug, Default)]
pub(crate) struct HostCalls(u32);

/// The guest called into the host too often.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the tool made more than {MAX_HOST_CALLS} calls into the host")]
pub(crate) struct TooManyHostCalls;

impl HostCalls {
    /// Counts one more; the error ends the guest.
    pub(crate) fn count(&mut self) -> wasmtime::Result<()> {
        self.0 += 1;
        if self.0 > MAX_HOST_CALLS { Err(TooManyHostCalls.into()) } else { Ok(()) }
    }
}
