//! One call of a tool: its place, its store, its run within its deadline.

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::GuestDb;
use behalf_fair_queue::Place;
use behalf_identity::{CallerKey, Role};
use futures::future::BoxFuture;
use tokio::sync::Mutex;
use wasmtime::Store;

use crate::answer::read_answer;
use crate::backtrace::backtrace;
use crate::bindings::ToolPluginPre;
use crate::bindings::exports::behalf::tool::tool::Error as ToolError;
use crate::capabilities::http::denied;
use crate::capabilities::{CallSetup, HasCtxs, LogLine};
use crate::deadline::Deadline;
use crate::guest_time::timed;
use crate::limits::CallLimits;
use crate::linker::LinkedComponent;
use crate::memory::Charge;
use crate::outcome::{CallError, CallOutput, Outage, classify_exit, root_message};
use crate::request::Request;
use crate::sandbox::Sandbox;
use crate::state::CallState;

/// How often the host checks whether a transaction waits for its guest too long.
const WATCH: Duration = Duration::from_millis(500);

impl Sandbox {
    /// Runs one call on the current thread's runtime; see [`Sandbox::run_call`]. Dropping the future ends the guest.
    pub fn execute<'a>(&'a self, component: &'a LinkedComponent, request: Request) -> BoxFuture<'a, CallOutput> {
        Box::pin(async move {
            let limits = CallLimits::from_grant(component.grants.limits.as_ref());
            let reads_only = request.effects.read_only();
            let prepared = match self.prepare(component, request, &limits, limits.timeout).await {
                Ok(prepared) => prepared,
                Err(output) => return output,
            };
            let PreparedCall { pre, mut store, database, deadline, tool, arguments, .. } = prepared;
            let mut guest_time = Duration::ZERO;
            let call = timed(run_tool(pre, &mut store, &tool, &arguments), &mut guest_time);
            let result = watched(call, &deadline, database.as_ref()).await;
            let crash = result.as_ref().ok().and_then(|ended| ended.as_ref().err()).and_then(backtrace);
            let result = classify_exit(result, &store, &limits).and_then(|answer| {
                let _charge = charge_answer(&answer, &store, &limits)?;
                read_answer(answer, limits.output_bytes)
            });
            let state = store.data_mut();
            let host_time = state.ctxs.host_time();
            let guest_time = guest_time.saturating_sub(host_time);
            let storage = state.ctxs.storage.take_records();
            let operations = state.ctxs.take_operations();
            let (mut log, egress, memory_bytes) = (state.take_log(), state.ctxs.http.records(), state.memory().peak());
            log.extend(denied::log_lines(&egress));
            if let (Err(CallError::Trapped(_)), Some(crash)) = (&result, crash) {
                log.push(LogLine { level: "error", message: crash.into() });
            }
            let met_outage = state.met_outage();
            drop(store);
            let database = unshared(database);
            // What a call has sent, written to files or committed stays, so a call that then got no connection may not be repeated
            // without a thought.
            let has_effects = !egress.is_empty()
                || !storage.is_empty()
                || operations.iter().any(|operation| operation.error.is_none())
                || component.grants.files.is_some()
                || database.as_ref().is_some_and(GuestDb::has_committed);
            let result = match result {
                Err(CallError::Busy) if has_effects => Err(CallError::Interrupted),
                other => other,
            };
            let outage = met_outage.then_some(Outage { has_effects: has_effects && !reads_only });
            CallOutput { result, outage, database, log, egress, storage, operations, guest_time, memory_bytes }
        })
    }

    /// Waits for a place in the caller's line, and makes a store that holds the granted capabilities for one caller. The
    /// call may then take `timeout`.
    pub(crate) async fn prepare<'a>(
        &'a self,
        component: &'a LinkedComponent,
        mut request: Request,
        limits: &CallLimits,
        timeout: Duration,
    ) -> Result<PreparedCall<'a>, CallOutput> {
        let pre = match &component.pre {
            Ok(pre) => pre,
            Err(missing) => {
                return Err(CallOutput::not_run(CallError::NotGranted(Arc::clone(missing)), request.database));
            }
        };
        let Some(place) = self.places.acquire_within(request.key, self.max_wait()).await else {
            return Err(CallOutput::not_run(CallError::Busy, request.database));
        };
        let database = request.database.take();
        let deadline = Deadline::after(timeout, database.as_ref().map(GuestDb::wait_time));
        let database = database.map(|database| Arc::new(Mutex::new(database)));
        let mut state = CallState::new(limits, &self.clock);
        let mut call = CallSetup {
            grants: &component.grants,
            limits,
            deadline: &deadline,
            database: database.as_ref(),
            request: &mut request,
        };
        if let Err(error) = self.capabilities.prepare(&component.granted, &mut call, state.parts()).await {
            drop(state);
            return Err(CallOutput::not_run(error.into(), unshared(database)));
        }
        let store = state.into_store(&self.engine, limits);
        let Request { tool, arguments, .. } = request;
        Ok(PreparedCall { pre, store, database, deadline, tool, arguments, _place: place })
    }

    /// Makes an instance that is not called. For measurements; a call makes its own.
    pub fn instance<'a>(&'a self, component: &'a LinkedComponent) -> BoxFuture<'a, Result<Instance, CallError>> {
        Box::pin(async move {
            let limits = CallLimits::from_grant(component.grants.limits.as_ref());
            let pre = component.pre.as_ref().map_err(|missing| CallError::NotGranted(Arc::clone(missing)))?;
            let place = self.places.acquire(CallerKey::Role(Role::Service)).await;
            let mut store = CallState::new(&limits, &self.clock).into_store(&self.engine, &limits);
            pre.instantiate_async(&mut store).await.map_err(|error| CallError::Trapped(root_message(&error)))?;
            Ok(Instance { _store: store, _place: place })
        })
    }
}

/// A call that is ready to run: a store made for its caller. It ends with the call.
pub(crate) struct PreparedCall<'a> {
    pub(crate) pre: &'a ToolPluginPre<CallState>,
    pub(crate) store: Store<CallState>,
    pub(crate) database: Option<Arc<Mutex<GuestDb>>>,
    pub(crate) deadline: Deadline,
    pub(crate) tool: String,
    pub(crate) arguments: String,
    _place: Place<CallerKey>,
}

/// An instance that nobody calls. It holds its memory and its place until it is dropped.
pub struct Instance {
    _store: Store<CallState>,
    _place: Place<CallerKey>,
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Instance")
    }
}

/// The database, once the store that shared it is gone.
pub(crate) fn unshared(database: Option<Arc<Mutex<GuestDb>>>) -> Option<GuestDb> {
    database.and_then(|shared| Arc::try_unwrap(shared).ok()).map(Mutex::into_inner)
}

/// Charges an answer while the guest that gave it is still there.
pub(crate) fn charge_answer(
    answer: &Result<String, ToolError>,
    store: &Store<CallState>,
    limits: &CallLimits,
) -> Result<Charge, CallError> {
    let bytes = match answer {
        Ok(json) => json.len(),
        Err(error) => error.code.len() + error.message.len(),
    };
    store.data().memory().charge(bytes).map_err(|_| CallError::Memory(limits.memory_bytes))
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

/// Waits for the call until its deadline; meanwhile a transaction that waits for its guest too long is rolled back.
pub(crate) async fn watched<T>(
    call: impl Future<Output = T>,
    deadline: &Deadline,
    database: Option<&Arc<Mutex<GuestDb>>>,
) -> Result<T, tokio::time::error::Elapsed> {
    let mut call = std::pin::pin!(call);
    let end = || tokio::time::Instant::from_std(deadline.at());
    loop {
        let next = end().min(tokio::time::Instant::now() + WATCH);
        match tokio::time::timeout_at(next, &mut call).await {
            Ok(value) => return Ok(value),
            Err(elapsed) if tokio::time::Instant::now() >= end() => return Err(elapsed),
            Err(_) => {
                // While a statement runs the lock is taken, and the transaction is not idle.
                if let Some(mut database) = database.and_then(|database| database.try_lock().ok()) {
                    database.end_if_idle().await;
                }
            }
        }
    }
}
