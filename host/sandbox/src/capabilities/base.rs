//! The part of a call's state that all its capabilities share.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::WasiCtxView;

use super::wasi::lite::Lite;
use crate::memory::Memory;

/// Calls into the host that one call may make. A loop of them ends here rather than at the deadline.
const MAX_HOST_CALLS: u32 = 50_000;

/// Handles of WASI resources one call may hold.
pub(crate) const MAX_RESOURCES: usize = 1_000;

/// Bytes of the host behind a handle of any kind: its place in the table, and for most kinds all there is. Those that keep
/// more charge it where they are made.
const HANDLE: usize = 256;

/// The code of a failure of the host's own. Where it may be over soon, the guest is not to blame for what it makes of it.
pub(super) const UNAVAILABLE: &str = "unavailable";

/// The part of a call's state that all its capabilities share.
pub(crate) struct Base {
    pub(crate) host_calls: HostCalls,
    pub(crate) memory: Memory,
    /// Whether the database, or another service that the host needs, was away for this call.
    pub(crate) met_outage: bool,
    table: ResourceTable,
    handles_charged: bool,
    pub(crate) wasi: Lite,
}

impl Base {
    pub(crate) fn new(memory: Memory) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            host_calls: HostCalls::default(),
            wasi: Lite::new(&memory),
            memory,
            met_outage: false,
            table,
            handles_charged: false,
        }
    }

    /// The handles. A table of all that there may be is charged when the guest first needs one: functions of WASI add
    /// handles where nobody counts them.
    pub(crate) fn table(&mut self) -> &mut ResourceTable {
        self.charge_handles();
        &mut self.table
    }

    /// The context of WASI's own functions.
    pub(crate) fn wasi_view(&mut self) -> WasiCtxView<'_> {
        self.charge_handles();
        WasiCtxView { ctx: self.wasi.ctx(), table: &mut self.table }
    }

    /// This cannot fail: where it does not fit, the next charge does not either.
    fn charge_handles(&mut self) {
        if !std::mem::replace(&mut self.handles_charged, true) {
            self.memory.add(MAX_RESOURCES * HANDLE);
        }
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
