use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

use super::capabilities::Workspaces;
use super::compiled::CompiledCache;
use super::egress::{DestinationError, Egress};
use super::limits::{MAX_MEMORY, TABLE_ELEMENTS};
use super::linker::Linkers;

/// How often a running guest lets others run, and how late a deadline may come.
const TICK: Duration = Duration::from_millis(5);

/// Core instances in one component: a Python guest has 38.
const CORE_INSTANCES: u32 = 40;
/// Memories in one component: a `QuickJS` guest has 3.
const MEMORIES: u32 = 4;

/// Kept in place when an instance ends, as far as the guest wrote to it, and reset without a system call for each page: the
/// kernel's work, not wasmtime's, is what an instance costs (docs/adr/0002-sandbox.md). A Python guest needs most of it.
const KEPT_MEMORY: usize = 8 * 1024 * 1024;
const KEPT_TABLE: usize = 64 * 1024;
const KEPT_STACK: usize = 64 * 1024;

/// How to run guests.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Calls that run at once.
    pub concurrent_calls: u32,
    /// Folder for compiled code; made with mode 0700.
    pub cache_dir: PathBuf,
    /// Who compiles uploads.
    pub compiler: Compiler,
    /// Private hosts that granted HTTP may reach.
    pub http_allow_private: Vec<String>,
    /// Folder for workspaces of guests.
    pub workspace_dir: PathBuf,
}

/// Who turns a component into native code.
#[derive(Clone, Debug)]
pub enum Compiler {
    /// A process of this program's own (`behalf compile`), bounded in memory and time by the operating system.
    Process(PathBuf),
    /// This process, for components from the host's own build.
    Here,
}

/// Why no sandbox could be made.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The engine could not be set up.
    #[error("cannot set up the WebAssembly engine; it reserves much address space, so check `ulimit -v`")]
    Engine(#[source] wasmtime::Error),
    /// The folder for compiled code is not usable.
    #[error("cannot use {0} for compiled code; it must be a folder of this user's with mode 0700")]
    Cache(PathBuf, #[source] std::io::Error),
    /// The folder for workspaces is not usable.
    #[error("cannot use {0} for files of tools; it must be a folder of this user's with mode 0700")]
    Workspaces(PathBuf, #[source] std::io::Error),
    /// An entry of the private hosts is no host.
    #[error("BEHALF_HTTP_ALLOW_PRIVATE: {0:?} is not of the form host or host:port")]
    AllowPrivate(String),
    /// Threads could not be started.
    #[error("cannot start threads for guests")]
    Threads(#[source] std::io::Error),
}

/// The engine with everything calls share.
#[derive(Debug)]
pub struct Sandbox {
    pub(super) engine: Engine,
    pub(super) linkers: Linkers,
    pub(super) cache: CompiledCache,
    pub(super) egress: Arc<Egress>,
    pub(super) workspaces: Arc<Workspaces>,
    pub(super) slots: Arc<Semaphore>,
    pub(super) options: SandboxOptions,
    guests: Option<Runtime>,
    ticking: Arc<AtomicBool>,
}

impl Sandbox {
    /// The addresses that an operator's URL may be reached at, looked up and checked as a guest's would be.
    pub async fn addresses_of(&self, url: &url::Url) -> Result<Vec<std::net::SocketAddr>, DestinationError> {
        self.egress.addresses_of(url).await
    }

    /// Sets up the engine, its clock, and threads for guests.
    pub fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let mut config = code_config();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(options.concurrent_calls)));
        let engine = Engine::new(&config).map_err(SandboxError::Engine)?;
        let linkers = Linkers::new(&engine).map_err(SandboxError::Engine)?;
        let cache = CompiledCache::open(&options.cache_dir, &engine)
            .map_err(|error| SandboxError::Cache(options.cache_dir.clone(), error))?;
        let egress = Egress::new(&options.http_allow_private).map_err(SandboxError::AllowPrivate)?;
        let workspaces = Workspaces::open(&options.workspace_dir)
            .map_err(|error| SandboxError::Workspaces(options.workspace_dir.clone(), error))?;
        let ticking = Arc::new(AtomicBool::new(true));
        start_clock(&engine, &ticking).map_err(SandboxError::Threads)?;
        // Guests have threads of their own, so that one that only computes never delays accepting a request.
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(std::thread::available_parallelism().map_or(2, usize::from))
            .thread_name("guest")
            .enable_all()
            .build()
            .map_err(SandboxError::Threads)?;
        let slots = Arc::new(Semaphore::new(options.concurrent_calls as usize));
        let (egress, workspaces) = (Arc::new(egress), Arc::new(workspaces));
        Ok(Self { engine, linkers, cache, egress, workspaces, slots, options, guests: Some(guests), ticking })
    }

    /// Runs a future on the guests' threads. Dropping what this returns drops the future.
    pub async fn on_guest_threads<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let mut task = AbortOnDrop(self.guests.as_ref()?.spawn(work));
        match (&mut task.0).await {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::error!(error = %error, "a guest's task did not end");
                None
            }
        }
    }

    /// Calls that run right now.
    pub fn running_calls(&self) -> usize {
        (self.options.concurrent_calls as usize).saturating_sub(self.slots.available_permits())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.ticking.store(false, Ordering::Relaxed);
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Everything that shapes compiled code; the compiling process uses the same. Instances are placed by the pool, which does
/// not belong here.
pub(super) fn code_config() -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.wasm_component_model(true);
    // What no guest toolchain of ours needs stays off; each is code that an attacker cannot reach.
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

/// Moves the engine's epoch from a thread of the operating system: guests may keep every thread of a runtime busy.
fn start_clock(engine: &Engine, ticking: &Arc<AtomicBool>) -> std::io::Result<()> {
    let (engine, ticking) = (engine.weak(), Arc::clone(ticking));
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while ticking.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
            let Some(engine) = engine.upgrade() else { return };
            engine.increment_epoch();
        }
    })?;
    Ok(())
}
