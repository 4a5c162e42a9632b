use std::sync::Arc;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::{Mutex, mpsc};
use uuid::Uuid;
use wasmtime::{Store, Trap, UpdateDeadline};

use super::answer::read_answer;
use super::bindings::ToolPluginPre;
use super::bindings::exports::behalf::tool::tool::Error as ToolError;
use super::capabilities::{
    EgressRecord, HttpCtx, HttpGrant, LogLine, OpenWorkspace, Owner, Progress, ProgressCtx, WorkspaceError,
};
use super::compiled::CompileError;
use super::engine::Sandbox;
use super::grants::Grants;
use super::inspect::Inspection;
use super::limits::{CallLimits, Meter};
use super::linker::{Loaded, link_definitions};
use super::state::{CallState, Granted, TooManyHostCalls};
use crate::db::{Blame, GuestDb};
use crate::identity::Principal;

/// How long a plugin may take to say what tools it has.
const DEFINITIONS_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of definitions.
const DEFINITIONS_BYTES: usize = 1024 * 1024;
/// How often a transaction that waits for its guest is looked at.
const WATCH: Duration = Duration::from_millis(500);

/// One call to make.
#[derive(Debug)]
pub struct Request {
    /// For whom.
    pub principal: Arc<Principal>,
    /// The plugin whose tool it is; its files are kept apart from those of others.
    pub plugin: Uuid,
    /// The session the call belongs to.
    pub session_id: Option<String>,
    /// The tool's name.
    pub tool: String,
    /// Its arguments: a JSON object that fits the tool's schema.
    pub arguments: String,
    /// `{"call_id": …}`, what the guest learns of the call.
    pub call: String,
    /// The plugin's settings, a JSON object.
    pub settings: Arc<str>,
    /// The caller's database, where it was granted.
    pub database: Option<GuestDb>,
    /// Where reports of progress go.
    pub progress: Option<mpsc::Sender<Progress>>,
}

/// What became of a call. Its transaction is still open: whoever gets this commits or rolls back.
#[derive(Debug)]
pub struct Executed {
    /// The tool's JSON, or why there is none.
    pub result: Result<String, CallError>,
    /// The caller's database.
    pub database: Option<GuestDb>,
    /// What the guest logged and printed.
    pub log: Vec<LogLine>,
    /// Requests it made, and tried to make.
    pub egress: Vec<EgressRecord>,
    /// Time the guest itself ran: from its instance to its answer, without what it waited for and without the host's work
    /// on its statements.
    pub guest_time: Duration,
    /// The most memory it had.
    pub memory_bytes: usize,
}

/// Why a call gave no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The tool said so.
    #[error("{message}")]
    Tool {
        /// `invalid_arguments`, `denied`, `failed` or a word of the tool's own.
        code: String,
        /// Its message.
        message: String,
        /// Whether the same may succeed later.
        retryable: bool,
    },
    /// The component imports what was not granted.
    #[error("this tool needs a capability that it was not granted ({0}); an operator can change the plugin's grants")]
    NotGranted(Arc<str>),
    /// The guest crashed.
    #[error("the tool crashed: {0}")]
    Trapped(String),
    /// The result is no JSON, or is nested too deeply to be read.
    #[error("the tool returned something that is not JSON, or nests more than 100 levels")]
    NotJson,
    /// The call took too long.
    #[error("the tool took longer than {} ms", .0.as_millis())]
    Deadline(Duration),
    /// The guest asked for more memory than it may have.
    #[error("the tool needs more than {0} bytes of memory")]
    Memory(usize),
    /// The guest's result, or what it gave the host, is too large.
    #[error("the tool returned more than {0} bytes")]
    Output(usize),
    /// The guest called the host too often.
    #[error("{0}")]
    HostCalls(String),
    /// The tool's folder is not usable.
    #[error("the host cannot open the tool's folder; try again shortly")]
    Files,
    /// The host has no room for another call.
    #[error("all places for running tools are taken; try again shortly")]
    Busy,
    /// The transaction could not be committed.
    #[error("{message}")]
    Commit {
        /// A code of `behalf:tool/database.error`.
        code: &'static str,
        /// What happened.
        message: String,
    },
}

/// Says who caused a failure.
pub trait Blamed {
    /// Guest, caller or host.
    fn blame(&self) -> Blame;
    /// A short stable name for the audit log and metrics.
    fn name(&self) -> &'static str;
}

impl Blamed for CallError {
    fn blame(&self) -> Blame {
        match self {
            Self::Tool { code, .. } if code == "invalid_arguments" || code == "denied" => Blame::Caller,
            Self::NotGranted(_) | Self::Files | Self::Busy | Self::Commit { code: "unavailable", .. } => Blame::Host,
            _ => Blame::Guest,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Tool { code, .. } if code == "denied" => "denied",
            Self::Tool { .. } => "tool_error",
            Self::NotGranted(_) => "not_granted",
            Self::Trapped(_) => "trapped",
            Self::NotJson => "not_json",
            Self::Deadline(_) => "deadline",
            Self::Memory(_) => "memory_limit",
            Self::Output(_) => "output_limit",
            Self::HostCalls(_) => "host_call_limit",
            Self::Files => "files_unavailable",
            Self::Busy => "busy",
            Self::Commit { .. } => "commit_failed",
        }
    }
}

impl Sandbox {
    /// Compiles a component and links it with what was granted.
    pub async fn load(&self, digest: [u8; 32], bytes: &[u8], grants: Arc<Grants>) -> Result<Loaded, CompileError> {
        let component = self.compiled(digest, bytes).await?;
        Ok(Loaded::link(&self.linkers, &component, grants))
    }

    /// Asks an inspected component which tools it has, in a store without any capability.
    pub async fn definitions(&self, inspection: &Inspection) -> Result<String, DefinitionsError> {
        let component = self.compiled(inspection.digest, &inspection.component).await?;
        let pre = link_definitions(&self.linkers, &component).map_err(|error| DefinitionsError::Link(root(&error)))?;
        let limits = definitions_limits();
        let slots = Arc::clone(&self.slots);
        let engine = self.engine.clone();
        let work = async move {
            let _slot = slots.acquire_owned().await.map_err(|_| CallError::Busy)?;
            let mut store =
                store(&engine, CallState::new(Meter::new(limits.memory_bytes), None, ProgressCtx::default()), &limits);
            let result = tokio::time::timeout(limits.timeout, async {
                pre.instantiate_async(&mut store).await?.behalf_tool_tool().call_definitions(&mut store).await
            })
            .await;
            judge(result, &store, &limits)
        };
        self.on_guest_threads(work).await.unwrap_or(Err(CallError::Busy)).map_err(DefinitionsError::Run)
    }

    /// Runs one call on the current thread's runtime; see [`Sandbox::on_guest_threads`]. Dropped, it ends the guest.
    pub async fn execute(&self, loaded: &Loaded, request: Request) -> Executed {
        let limits = CallLimits::from_grants(&loaded.grants);
        let deadline = Instant::now() + limits.timeout;
        let prepared = match self.prepare(loaded, request, &limits, deadline).await {
            Ok(prepared) => prepared,
            Err(executed) => return executed,
        };
        let Prepared { pre, mut store, database, tool, arguments, .. } = prepared;
        let mut guest_time = Duration::ZERO;
        let call = timed(run_tool(pre, &mut store, &tool, &arguments), &mut guest_time);
        let result = watched(call, deadline, database.as_ref()).await;
        let result = judge(result, &store, &limits).and_then(|answer| read_answer(answer, limits.output_bytes));
        let state = store.data_mut();
        let guest_time = guest_time.saturating_sub(state.database_time);
        let (log, egress, memory_bytes) = (state.take_log(), state.http.records(), state.meter.used());
        drop(store);
        Executed { result, database: unshared(database), log: log.into_lines(), egress, guest_time, memory_bytes }
    }

    /// A place, a folder, and a store for one caller that holds what was granted.
    pub(super) async fn prepare<'a>(
        &'a self,
        loaded: &'a Loaded,
        request: Request,
        limits: &CallLimits,
        deadline: Instant,
    ) -> Result<Prepared<'a>, Executed> {
        let pre = match &loaded.pre {
            Ok(pre) => pre,
            Err(missing) => return Err(nothing(CallError::NotGranted(Arc::clone(missing)), request.database)),
        };
        let Ok(Ok(slot)) = tokio::time::timeout(limits.timeout, self.slots.acquire()).await else {
            return Err(nothing(CallError::Busy, request.database));
        };
        let workspace = match self.workspace(loaded, &request).await {
            Ok(workspace) => workspace,
            Err(error) => return Err(nothing(error, request.database)),
        };
        let database = request.database.map(|database| Arc::new(Mutex::new(database)));
        let granted = Granted {
            principal: request.principal,
            call: request.call,
            settings: request.settings,
            deadline,
            database: database.clone(),
        };
        let progress = ProgressCtx { to: request.progress, sent: 0 };
        let mut state = CallState::new(Meter::new(limits.memory_bytes), Some(granted), progress);
        if !loaded.hosts.is_empty() {
            let grant = HttpGrant { hosts: Arc::clone(&loaded.hosts), egress: Arc::clone(&self.egress), deadline };
            state.http = HttpCtx::new(grant, limits.output_bytes);
        }
        if let Some(workspace) = &workspace
            && let Err(error) = state.open_workspace(workspace)
        {
            tracing::error!(error = %error, "a workspace cannot be opened");
            drop(state);
            return Err(nothing(CallError::Files, unshared(database)));
        }
        let store = store(&self.engine, state, limits);
        let (tool, arguments) = (request.tool, request.arguments);
        Ok(Prepared { pre, store, database, tool, arguments, _workspace: workspace, _slot: slot })
    }

    /// A new store with an instance, which is not called. For measurements; a call makes its own.
    pub async fn instance(&self, loaded: &Loaded) -> Result<Instance, CallError> {
        let limits = CallLimits::from_grants(&loaded.grants);
        let pre = loaded.pre.as_ref().map_err(|missing| CallError::NotGranted(Arc::clone(missing)))?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| CallError::Busy)?;
        let state = CallState::new(Meter::new(limits.memory_bytes), None, ProgressCtx::default());
        let mut store = store(&self.engine, state, &limits);
        pre.instantiate_async(&mut store).await.map_err(|error| CallError::Trapped(root(&error)))?;
        Ok(Instance { _store: store, _slot: slot })
    }

    /// The folder that was granted for this caller.
    async fn workspace(&self, loaded: &Loaded, request: &Request) -> Result<Option<OpenWorkspace>, CallError> {
        let Some(grant) = loaded.grants.files() else { return Ok(None) };
        let owner = Owner {
            plugin: request.plugin,
            session: request.session_id.clone(),
            principal: Arc::clone(&request.principal),
        };
        match self.workspaces.for_call(grant.clone(), owner).await {
            Ok(workspace) => Ok(Some(workspace)),
            Err(WorkspaceError::Io(error)) => {
                tracing::error!(error = %error, "a workspace cannot be opened");
                Err(CallError::Files)
            }
            Err(error) => Err(CallError::NotGranted(error.to_string().into())),
        }
    }
}

/// Bounds of asking for definitions.
pub(super) fn definitions_limits() -> CallLimits {
    CallLimits {
        timeout: DEFINITIONS_TIMEOUT,
        output_bytes: DEFINITIONS_BYTES,
        ..CallLimits::from_grants(&Grants::default())
    }
}

/// What a call runs in, made for its caller. It is gone with the call.
pub(super) struct Prepared<'a> {
    pub(super) pre: &'a ToolPluginPre<CallState>,
    pub(super) store: Store<CallState>,
    pub(super) database: Option<Arc<Mutex<GuestDb>>>,
    pub(super) tool: String,
    pub(super) arguments: String,
    _workspace: Option<OpenWorkspace>,
    _slot: tokio::sync::SemaphorePermit<'a>,
}

/// An instance that nobody calls. It holds its memory and its place until it is dropped.
pub struct Instance {
    _store: Store<CallState>,
    _slot: tokio::sync::OwnedSemaphorePermit,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Instance")
    }
}

/// Why a plugin's tools are not known.
#[derive(Debug, Error)]
pub enum DefinitionsError {
    /// It does not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It does not fit the interface.
    #[error("the component does not fit the plugin interface: {0}")]
    Link(String),
    /// Asking it failed.
    #[error("`definitions` failed: {0}")]
    Run(#[source] CallError),
}

/// A call that did not come to run.
fn nothing(error: CallError, database: Option<GuestDb>) -> Executed {
    Executed {
        result: Err(error),
        database,
        log: Vec::new(),
        egress: Vec::new(),
        guest_time: Duration::ZERO,
        memory_bytes: 0,
    }
}

/// The database, once the store that shared it is gone.
pub(super) fn unshared(database: Option<Arc<Mutex<GuestDb>>>) -> Option<GuestDb> {
    database.and_then(|shared| Arc::try_unwrap(shared).ok()).map(Mutex::into_inner)
}

async fn run_tool(
    pre: &ToolPluginPre<CallState>,
    store: &mut Store<CallState>,
    tool: &str,
    arguments: &str,
) -> wasmtime::Result<Result<String, ToolError>> {
    let plugin = pre.instantiate_async(&mut *store).await?;
    plugin.behalf_tool_tool().call_call(store, tool, arguments).await
}

/// Adds up the time in which the call was at work itself. What it waits for, the database, the network or a clock, wakes it
/// again later and is not counted.
pub(super) async fn timed<T>(call: impl Future<Output = T>, spent: &mut Duration) -> T {
    let mut call = std::pin::pin!(call);
    std::future::poll_fn(|cx| {
        let begun = Instant::now();
        let polled = call.as_mut().poll(cx);
        *spent += begun.elapsed();
        polled
    })
    .await
}

/// Waits for the call until its deadline; meanwhile a transaction that waits for its guest too long is rolled back.
pub(super) async fn watched<T>(
    call: impl Future<Output = T>,
    deadline: Instant,
    database: Option<&Arc<Mutex<GuestDb>>>,
) -> Result<T, tokio::time::error::Elapsed> {
    let mut call = std::pin::pin!(call);
    let end = tokio::time::Instant::from_std(deadline);
    loop {
        let next = end.min(tokio::time::Instant::now() + WATCH);
        match tokio::time::timeout_at(next, &mut call).await {
            Ok(value) => return Ok(value),
            Err(elapsed) if next >= end => return Err(elapsed),
            Err(_) => {
                // While a statement runs the lock is taken, and the transaction is not idle.
                if let Some(mut database) = database.and_then(|database| database.try_lock().ok()) {
                    database.end_if_idle().await;
                }
            }
        }
    }
}

pub(super) fn store(engine: &wasmtime::Engine, state: CallState, limits: &CallLimits) -> Store<CallState> {
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.meter);
    // What crosses the boundary in one call or result; arguments of host calls count as well.
    store.set_hostcall_fuel(limits.output_bytes.saturating_mul(2).max(4 * 1024 * 1024));
    store.set_epoch_deadline(1);
    // Every tick the guest lets others run; the deadline is kept by the timer that then gets its turn.
    store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
    store
}

/// Names what ended a guest.
pub(super) fn judge<T>(
    result: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
    store: &Store<CallState>,
    limits: &CallLimits,
) -> Result<T, CallError> {
    let error = match result {
        Ok(Ok(value)) => return Ok(value),
        Err(_) => return Err(CallError::Deadline(limits.timeout)),
        Ok(Err(error)) => error,
    };
    if let Some(TooManyHostCalls) = error.downcast_ref() {
        return Err(CallError::HostCalls(TooManyHostCalls.to_string()));
    }
    // An allocator that is refused memory aborts; the crash is only how it shows.
    if store.data().meter.refused {
        return Err(CallError::Memory(limits.memory_bytes));
    }
    let text = root(&error);
    if text.contains("too much data is being copied") {
        return Err(CallError::Output(limits.output_bytes));
    }
    if text.contains("memory minimum size") || text.contains("memory limit") {
        return Err(CallError::Memory(limits.memory_bytes));
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => Err(CallError::Trapped("call stack exhausted".to_owned())),
        Some(trap) => Err(CallError::Trapped(trap.to_string())),
        None => Err(CallError::Trapped(text)),
    }
}

/// The innermost message, without the backtrace that wasmtime puts in front.
fn root(error: &wasmtime::Error) -> String {
    error.root_cause().to_string().lines().next().unwrap_or("unknown").chars().take(300).collect()
}
