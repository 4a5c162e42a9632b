//! The state of one call: the `T` of `Store<T>`. It ends with the call.

use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtxView, WasiView};

use crate::capabilities::{Base, Ctxs, HasCtxs, LogLine};
use crate::epoch_clock::{EpochClock, Ticking};
use crate::limits::{CallLimits, Meter};
use crate::memory::Memory;

/// Handles of resources in one guest's own tables, those of types that it defines itself included; the host keeps the tables.
const MAX_HANDLES: usize = 10_000;

/// The state of one call. Its capabilities are empty until they are prepared; `definitions` runs with empty ones.
pub(crate) struct CallState {
    meter: Meter,
    // Fields are dropped in this order: open files before the folder that they lie in.
    base: Base,
    pub(crate) ctxs: Ctxs,
    _ticking: Ticking,
}

impl CallState {
    pub(crate) fn new(limits: &CallLimits, clock: &EpochClock) -> Self {
        let memory = Memory::new(limits.memory_bytes);
        let (meter, base) = (Meter::new(memory.clone()), Base::new(memory));
        Self { meter, base, ctxs: Ctxs::default(), _ticking: clock.tick() }
    }

    /// The call's memory.
    pub(crate) fn memory(&self) -> &Memory {
        &self.base.memory
    }

    /// Whether a service that the host needs was away for the call.
    pub(crate) fn met_outage(&self) -> bool {
        self.base.met_outage
    }

    /// Takes the lines that the guest logged and, after them, those that it printed.
    pub(crate) fn take_log(&mut self) -> Vec<LogLine> {
        let mut log = std::mem::take(&mut self.ctxs.log);
        for (name, text) in self.base.wasi.printed() {
            text.lines().for_each(|line| log.write(name, line));
        }
        log.into_lines()
    }

    /// A store for this call, with its limits.
    pub(crate) fn into_store(self, engine: &Engine, limits: &CallLimits) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|state| &mut state.meter);
        // Bytes that cross the boundary in one call or result; arguments of host calls count as well.
        store.set_hostcall_fuel(limits.output_bytes.saturating_mul(2).max(4 * 1024 * 1024));
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        // Every tick the guest lets others run; the deadline is kept by the timer that then gets its turn.
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        store
    }
}

impl HasCtxs for CallState {
    fn parts(&mut self) -> (&mut Ctxs, &mut Base) {
        (&mut self.ctxs, &mut self.base)
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.base.wasi_view()
    }
}
