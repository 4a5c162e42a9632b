//! `behalf:tool/memory`: what an agent remembers of its user.

mod call;
pub(crate) mod grant;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wasmtime::component::Linker;

use super::base::UNAVAILABLE;
use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared, require_import};
use super::operations::{OperationRecord, Operations};
use crate::bindings::behalf::tool::memory::{Entry, Error, Host, add_to_linker};
use crate::grants::{GrantError, Grants};
use crate::guest_time::timed;
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};
use call::{CallMemories, Done};
use grant::MemoryAccess;
use store::{MemoryError, MemoryStore, Remembered};

/// Operations of one call.
const MAX_OPERATIONS: usize = 100;

/// The memories of one call. The default has none.
#[derive(Debug, Default)]
pub(crate) struct MemoryCtx {
    prepared: Option<Arc<CallMemories>>,
    operations: Operations,
    spent: Duration,
}

impl MemoryCtx {
    /// Time that the host itself worked on memories. Time in which it waited is not counted.
    pub(crate) fn host_time(&self) -> Duration {
        self.spent
    }

    /// What the call did with memories, for the audit log.
    pub(crate) fn take_records(&mut self) -> Vec<OperationRecord> {
        self.operations.take()
    }
}

impl View<'_, MemoryCtx> {
    /// Begins an operation, and its record.
    fn begin(&mut self, operation: &'static str) -> wasmtime::Result<Result<Arc<CallMemories>, Error>> {
        self.base.host_calls.count()?;
        let call = Arc::clone(prepared(self.ctx.prepared.as_ref())?);
        if self.ctx.operations.begin(operation, MAX_OPERATIONS) {
            return Ok(Ok(call));
        }
        let message = format!("a call uses memories at most {MAX_OPERATIONS} times; do the rest in another one");
        Ok(Err(convert_error(MemoryError::new("limit", message))))
    }

    /// Waits for an operation, and ends its record. `results` says how many memories it is about.
    async fn run<T>(
        &mut self,
        work: impl Future<Output = Done<T>>,
        results: impl FnOnce(&T) -> usize,
    ) -> wasmtime::Result<Result<T, Error>> {
        let mut spent = Duration::ZERO;
        let done = timed(work, &mut spent).await;
        self.ctx.spent += spent;
        let done = done?;
        self.ctx.operations.end(done.as_ref().map(results).map_err(|error| error.code));
        self.base.met_outage |= done.as_ref().is_err_and(|error| error.code == UNAVAILABLE && error.retryable);
        Ok(done.map_err(convert_error))
    }
}

/// Leaves a host function with the error that a guest gets.
macro_rules! begun {
    ($view:expr, $operation:literal) => {
        match $view.begin($operation)? {
            Ok(call) => call,
            Err(error) => return Ok(Err(error)),
        }
    };
}

impl Host for View<'_, MemoryCtx> {
    async fn remember(&mut self, text: String, meta: String) -> wasmtime::Result<Result<String, Error>> {
        let call = begun!(self, "memory.remember");
        let memory = self.base.memory.clone();
        let kept = self.run(call.remember(&memory, &text, &meta), |_| 1).await?;
        Ok(kept.map(|id| id.to_string()))
    }

    async fn recall(&mut self, query: String, top_k: u32) -> wasmtime::Result<Result<Vec<Entry>, Error>> {
        let call = begun!(self, "memory.recall");
        let memory = self.base.memory.clone();
        let found = self.run(call.recall(&memory, &query, top_k), Vec::len).await?;
        Ok(found.map(|found| found.into_iter().map(entry).collect()))
    }

    async fn forget(&mut self, id: String) -> wasmtime::Result<Result<bool, Error>> {
        let call = begun!(self, "memory.forget");
        self.run(async { Ok(call.forget(&id).await) }, |was_there| usize::from(*was_there)).await
    }
}

fn entry(one: Remembered) -> Entry {
    Entry {
        id: one.id.to_string(),
        text: one.text,
        score: if one.score.is_finite() { one.score } else { 0.0 },
        meta: Value::Object(one.meta).to_string(),
        created_at: one.created_at,
    }
}

fn convert_error(error: MemoryError) -> Error {
    Error { code: error.code.to_owned(), message: error.message, retryable: error.retryable }
}

/// What agents remember of their users, where it was granted.
#[derive(Debug)]
pub(crate) struct Memories {
    store: Option<Arc<dyn MemoryStore>>,
}

impl Capability for Memories {
    type Ctx = MemoryCtx;
    type Granted = ();

    fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self { store: options.memory.clone() })
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "memory", functions: &["remember", "recall", "forget"] }),
        }
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.memory() > MemoryAccess::None
    }

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        if Self::is_granted(grants) { require_import(imports, "memory", "behalf:tool/memory") } else { Ok(()) }
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        (mine.memory() > theirs.memory()).then_some("memories of users")
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }

    async fn prepare(
        &self,
        (): &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        view.ctx.prepared = Some(Arc::new(CallMemories {
            store: self.store.clone(),
            writes: call.request.effects.writes_memories(),
            principal: Arc::clone(&call.request.principal),
            agent: call.request.agent,
            key: call.request.key,
            deadline: call.deadline.clone(),
            output_bytes: call.limits.output_bytes,
        }));
        Ok(())
    }
}
