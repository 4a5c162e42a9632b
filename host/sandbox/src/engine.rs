//! The wasmtime engine: its features, its pool of instances, and the clock that lets guests take turns.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

use crate::limits::{MAX_MEMORY, TABLE_ELEMENTS};

/// How often a running guest lets others run, and how late a deadline may come.
const TICK: Duration = Duration::from_millis(5);

/// Core instances in one component: a Python guest has 38.
const CORE_INSTANCES: u32 = 40;
/// Memories in one component: a `QuickJS` guest has 3.
const MEMORIES: u32 = 4;

/// Bytes of each memory that stay mapped when an instance ends, as far as the guest wrote to them. They are reset without
/// a system call for each page: system calls are the largest part of an instance's cost (docs/adr/0002-sandbox.md). A
/// Python guest needs most of it.
const KEPT_MEMORY: usize = 8 * 1024 * 1024;
const KEPT_TABLE: usize = 64 * 1024;
const KEPT_STACK: usize = 64 * 1024;

/// An engine whose pool has room for so many calls at once.
pub(crate) fn pooling_engine(concurrent_calls: u32) -> wasmtime::Result<Engine> {
    let mut config = code_config();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(concurrent_calls)));
    Engine::new(&config)
}

/// Every setting that shapes compiled code; the compiling process uses the same. The pool places instances and does not
/// shape code, so it is not part of this.
pub(crate) fn code_config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_component_model(true);
    // Features that none of our guest toolchains needs stay off: an attacker cannot reach their code.
    for feature in
        [WasmFeatures::THREADS, WasmFeatures::MEMORY64, WasmFeatures::STACK_SWITCHING, WasmFeatures::EXCEPTIONS]
    {
        config.wasm_features(feature, false);
    }
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * CORE_INSTANCES)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .total_memories(slots * MEMORIES)
        .max_tables_per_component(CORE_INSTANCES)
        .total_tables(slots * CORE_INSTANCES)
        .total_stacks(slots)
        .table_elements(TABLE_ELEMENTS)
        .max_memory_size(usize::try_from(MAX_MEMORY).unwrap_or(usize::MAX))
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        .async_stack_keep_resident(KEPT_STACK)
        .decommit_batch_size(16)
        .max_unused_warm_slots(slots)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Increments an engine's epoch until it is dropped. It has a thread of the operating system, because guests may keep
/// every thread of a runtime busy.
#[derive(Debug)]
pub(crate) struct EpochClock(Arc<AtomicBool>);

impl EpochClock {
    pub(crate) fn start(engine: &Engine) -> std::io::Result<Self> {
        let ticking = Arc::new(AtomicBool::new(true));
        let (engine, clock) = (engine.weak(), Self(Arc::clone(&ticking)));
        std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
            while ticking.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                let Some(engine) = engine.upgrade() else { return };
                engine.increment_epoch();
            }
        })?;
        Ok(clock)
    }
}

impl Drop for EpochClock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
