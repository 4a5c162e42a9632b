//! The sandbox: the engine with everything that calls share, and the threads on which guests run.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_fair_queue::{FairQueue, Work};
use behalf_identity::CallerKey;
use behalf_jobs::AbortOnDrop;
use behalf_problem::LogText as _;
use futures::future::BoxFuture;
use tokio::runtime::Runtime;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::capabilities::{Capabilities, Outbound};
use crate::compiled::{CompileError, CompiledCache};
use crate::egress::DestinationError;
use crate::engine::pooling_engine;
use crate::epoch_clock::EpochClock;
use crate::grants::Grants;
use crate::linker::{LinkedComponent, Linkers};
use crate::options::{SandboxError, SandboxOptions};
use crate::request_threads::{Begun, RequestThreads};

/// The engine with everything that calls share.
#[derive(Debug)]
pub struct Sandbox {
    pub(crate) engine: Engine,
    pub(crate) linkers: Linkers,
    pub(crate) capabilities: Capabilities,
    /// One place for each call that may run at once.
    pub(crate) places: FairQueue<CallerKey>,
    cache: CompiledCache,
    options: SandboxOptions,
    guests: Option<Runtime>,
    request_threads: RequestThreads,
    pub(crate) clock: EpochClock,
}

impl Sandbox {
    /// Sets up the engine, its clock, and threads for guests.
    pub fn new(options: SandboxOptions) -> Result<Self, SandboxError> {
        let engine = pooling_engine(options.concurrent_calls).map_err(SandboxError::Engine)?;
        let linkers = Linkers::new(&engine).map_err(SandboxError::Engine)?;
        let cache_bytes = if options.cache_mib == 0 { u64::MAX } else { options.cache_mib.saturating_mul(1024 * 1024) };
        let cache = CompiledCache::open(&options.cache_dir, &engine, cache_bytes)
            .map_err(|error| SandboxError::Cache(options.cache_dir.clone(), error))?;
        let capabilities = Capabilities::open(&options)?;
        let clock = EpochClock::start(&engine).map_err(SandboxError::Threads)?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        // Guests have threads of their own, so that one that only computes never delays accepting a request for long.
        let guests = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("guest")
            .enable_all()
            .build()
            .map_err(SandboxError::Threads)?;
        let places = FairQueue::new(options.concurrent_calls as usize, Work::Mixed);
        let request_threads = RequestThreads::new(threads);
        Ok(Self { engine, linkers, capabilities, places, cache, options, guests: Some(guests), request_threads, clock })
    }

    /// Compiles a component and links it with its grants.
    pub fn load<'a>(
        &'a self,
        digest: [u8; 32],
        bytes: &'a [u8],
        grants: Arc<Grants>,
    ) -> BoxFuture<'a, Result<LinkedComponent, CompileError>> {
        Box::pin(async move {
            let component = self.compiled(digest, bytes).await?;
            Ok(LinkedComponent::link(&self.linkers, &component, grants))
        })
    }

    pub(crate) async fn compiled(&self, digest: [u8; 32], bytes: &[u8]) -> Result<Component, CompileError> {
        self.cache.compiled(&self.engine, &self.options.compiler, digest, bytes).await
    }

    /// Deletes compiled code that this process did not use, and workspaces of users and sessions that no call opened, each for so
    /// long. With none, all is kept, but for compiled code beyond the size that its folder may have.
    pub async fn prune(
        self: &Arc<Self>,
        compiled: Option<Duration>,
        workspaces: Option<Duration>,
    ) -> std::io::Result<()> {
        let sandbox = Arc::clone(self);
        let pruned = tokio::task::spawn_blocking(move || {
            sandbox.cache.prune(compiled)?;
            workspaces.map_or(Ok(()), |unused| sandbox.capabilities.files.prune(unused))
        });
        pruned.await.map_err(std::io::Error::other)?
    }

    /// Looks up the addresses of an operator's URL and checks them like those of a guest's request.
    pub fn addresses_of<'a>(&'a self, url: &'a url::Url) -> BoxFuture<'a, Result<Vec<SocketAddr>, DestinationError>> {
        Box::pin(async move { self.capabilities.http.egress.addresses_of(url).await })
    }

    /// Refuses an address of an operator's to which no request would be sent, because it is in a private network.
    pub fn refuse_private<'a>(&'a self, uri: &'a http::Uri) -> BoxFuture<'a, Result<(), DestinationError>> {
        Box::pin(async move { self.capabilities.http.egress.refuse_private(uri).await })
    }

    /// Prepares the requests of one call: they end at `deadline`, and no answer is longer than `max_bytes`.
    pub fn outbound(&self, deadline: Instant, max_bytes: u64) -> Outbound {
        Outbound::new(Arc::clone(&self.capabilities.http.egress), deadline, max_bytes)
    }

    /// Begins a future, a call of the component, on this thread, and moves it to the guests' threads where it takes longer than a short call does. Its
    /// timers and sockets stay with the runtime that made them. Dropping the returned future aborts it.
    pub async fn run_call<T: Send + 'static>(
        &self,
        component: &LinkedComponent,
        work: BoxFuture<'static, T>,
    ) -> Option<T> {
        match self.request_threads.begin(work, &component.pace).await {
            Begun::Ended(Some(value)) => Some(value),
            Begun::Ended(None) => {
                tracing::error!("a guest's call panicked");
                None
            }
            Begun::Unfinished(rest) => self.on_guest_threads(rest).await,
        }
    }

    /// Runs a future on the guests' threads. Dropping the returned future aborts it.
    pub async fn on_guest_threads<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        match AbortOnDrop::new(self.guests.as_ref()?.spawn(work)).await {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::error!(error = error.log_text(), "a guest's task did not end");
                None
            }
        }
    }

    /// Calls that run right now.
    pub fn running_calls(&self) -> usize {
        self.places.taken()
    }

    /// Calls that wait for a place.
    pub fn waiting_calls(&self) -> usize {
        self.places.waiting()
    }

    /// How long a call waits for a place.
    pub(crate) fn max_wait(&self) -> Duration {
        self.options.max_wait
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}
