//! The wasmtime engine: its features and its pool of instances.

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

use crate::limits::{MAX_MEMORY, TABLE_ELEMENTS};

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
