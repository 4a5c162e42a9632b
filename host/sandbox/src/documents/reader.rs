//! Reads documents: the engine, the component, and a thread for each document.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::{OnceCell, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store, Trap, UpdateDeadline};

use super::bindings::behalf::extraction::document;
use super::bindings::{ExtractorPre, Hint};
use super::failure::{ReadFailure, ReaderError, Refusal};
use super::limits::DocumentLimits;
use super::page::{Page, Summary};
use super::state::DocumentState;
use super::wasi;
use super::work::{Ended, Time, spent};
use crate::compiled::CompiledCache;
use crate::engine::code_config;
use crate::epoch_clock::EpochClock;
use crate::options::Compiler;

/// Handles that the component may hold; it needs three streams.
const MAX_HANDLES: usize = 1_000;

/// The stack of a reading's thread. The component may use half a megabyte of it, which wasmtime checks; the rest is for the host.
const STACK: usize = 4 * 1024 * 1024;

/// How much less than others a reading's thread gets, where they want the processor as well: a tenth.
const NICENESS: i32 = 10;

/// Reads users' documents with a component of the host's own. Each document gets a store of its own, a thread of its own and the limits;
/// the component reaches that document and nothing else.
pub struct DocumentReader {
    engine: Engine,
    clock: EpochClock,
    cache: CompiledCache,
    options: DocumentOptions,
    ready: OnceCell<ExtractorPre<DocumentState>>,
    places: Arc<Semaphore>,
}

impl std::fmt::Debug for DocumentReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DocumentReader").field("options", &self.options).finish_non_exhaustive()
    }
}

/// How to read documents.
#[derive(Clone)]
pub struct DocumentOptions {
    /// The component, which is the host's own.
    pub component: &'static [u8],
    /// Documents that are read at once; each may take the limits' memory.
    pub places: usize,
    /// What one may cost.
    pub limits: DocumentLimits,
    /// The process that compiles the component.
    pub compiler: Compiler,
}

impl std::fmt::Debug for DocumentOptions {
    /// The component is megabytes long.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { places, limits, .. } = self;
        f.debug_struct("DocumentOptions").field("places", places).field("limits", limits).finish_non_exhaustive()
    }
}

impl DocumentReader {
    /// Sets up the engine and its clock. The component is compiled when the first document comes, unless it was before; `cache_dir` is
    /// the folder for compiled code.
    pub fn new(cache_dir: &Path, options: DocumentOptions) -> Result<Self, ReaderError> {
        // Memory is taken as it is needed: documents are few at once, and large (docs/adr/0002-sandbox.md).
        let engine = Engine::new(&code_config()).map_err(ReaderError::Engine)?;
        // One component: whoever compiles plugins into this folder keeps it small.
        let cache = CompiledCache::open(cache_dir, &engine, u64::MAX).map_err(ReaderError::Cache)?;
        let clock = EpochClock::start_slow(&engine).map_err(ReaderError::Thread)?;
        let places = Arc::new(Semaphore::new(options.places.max(1)));
        Ok(Self { engine, clock, cache, options, ready: OnceCell::new(), places })
    }

    /// Reads a document. `extension` is the end of its name after the last dot; the component looks at the bytes as well. Pages are sent
    /// in order, and the component waits where they are not taken.
    ///
    /// Dropping the future, dropping the receiver of the pages and `stop` end the reading within some milliseconds.
    pub async fn read(
        &self,
        file: File,
        extension: &str,
        pages: mpsc::Sender<Page>,
        stop: CancellationToken,
    ) -> Result<Summary, ReadFailure> {
        let ready = async {
            let place = Arc::clone(&self.places).acquire_owned().await.map_err(io::Error::other);
            Ok::<_, ReaderError>((place.map_err(ReaderError::Thread)?, self.component().await?))
        };
        let (place, extractor) = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(ReadFailure::Stopped),
            ready = ready => ready?,
        };
        let limits = self.options.limits;
        let time = Arc::new(Time::new(&limits));
        let guard = StopOnDrop(Arc::clone(&time));
        let state = DocumentState::new(file, pages, Arc::clone(&time), limits, self.clock.tick());
        let state = state.map_err(ReaderError::File)?;
        let (engine, extractor) = (self.engine.clone(), extractor.clone());
        let hint = Hint { extension: extension.chars().take(16).collect::<String>().to_lowercase() };
        let (answer, mut answered) = oneshot::channel();
        let work = move || {
            let _place = place;
            lower_priority();
            answer.send(run(&engine, &extractor, state, &hint, &limits)).ok();
        };
        std::thread::Builder::new()
            .name("document".to_owned())
            .stack_size(STACK)
            .spawn(work)
            .map_err(ReaderError::Thread)?;
        let result = tokio::select! {
            result = &mut answered => result,
            () = stop.cancelled() => { time.stop(); answered.await }
            () = tokio::time::sleep_until(time.end().into()) => { time.is_over(); answered.await }
        };
        drop(guard);
        result.map_err(|error| ReaderError::Thread(io::Error::other(error)))?
    }

    /// The component, compiled and linked once.
    async fn component(&self) -> Result<&ExtractorPre<DocumentState>, ReaderError> {
        let made = self.ready.get_or_try_init(|| async {
            let DocumentOptions { component, compiler, .. } = &self.options;
            let digest = Sha256::digest(component).into();
            let compiled = self.cache.compiled(&self.engine, compiler, digest, component).await;
            link(&self.engine, &compiled.map_err(ReaderError::Compile)?).map_err(ReaderError::Link)
        });
        made.await
    }
}

/// Links the document and the part of WASI that has nothing behind it. A component that imports anything else is refused.
pub(super) fn link(engine: &Engine, component: &Component) -> wasmtime::Result<ExtractorPre<DocumentState>> {
    let mut linker = Linker::new(engine);
    document::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut DocumentState| state)?;
    wasi::add_to_linker(&mut linker)?;
    ExtractorPre::new(linker.instantiate_pre(component)?)
}

/// Ends the reading where nobody waits for its answer.
struct StopOnDrop(Arc<Time>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Gives way to other threads. On Linux the priority belongs to a thread, and "this process" means the thread that asks
/// (setpriority(2), "C library/kernel differences"). Elsewhere it would be that of the whole host, so there it stays.
pub(super) fn lower_priority() {
    if cfg!(target_os = "linux") {
        rustix::process::nice(NICENESS).ok();
    }
}

fn run(
    engine: &Engine,
    extractor: &ExtractorPre<DocumentState>,
    state: DocumentState,
    hint: &Hint,
    limits: &DocumentLimits,
) -> Result<Summary, ReadFailure> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    store.set_hostcall_fuel(limits.hostcall_bytes());
    store.set_max_component_handles(MAX_HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| {
        store.data().time.check()?;
        Ok(UpdateDeadline::Continue(1))
    });
    let answer = extractor.instantiate(&mut store).and_then(|component| component.call_extract(&mut store, hint));
    let state = store.data();
    match answer {
        Ok(Ok(said)) => {
            let mut summary = Summary::checked(said, state.done).map_err(ReadFailure::Document)?;
            summary.text_bytes = state.text_bytes;
            summary.processor_time = spent();
            summary.memory_bytes = state.memory.peak();
            Ok(summary)
        }
        Ok(Err(failure)) => Err(ReadFailure::Document(failure.reason.into())),
        Err(error) => Err(classify(error, state, limits)),
    }
}

/// Turns what ended the component into the failure. Texts of traps can hold what a document made a component say, so none is kept.
fn classify(error: wasmtime::Error, state: &DocumentState, limits: &DocumentLimits) -> ReadFailure {
    let error = match error.downcast::<Ended>() {
        Ok(ended) => return ended.into_failure(limits),
        Err(error) => error,
    };
    // An allocator that is refused memory aborts; the crash is only how it shows.
    if state.memory.has_refused() && !matches!(error.downcast_ref(), Some(Trap::StackOverflow)) {
        return ReadFailure::Document(Refusal::Memory);
    }
    let text = error.root_cause().to_string();
    if text.contains("too much data is being copied") {
        return ReadFailure::Document(Refusal::TooMuchText);
    }
    ReadFailure::Document(Refusal::Crashed)
}
