//! `behalf:tool/knowledge`: search in knowledge bases, as the caller.

mod call;
pub(crate) mod grant;
mod options;
pub(crate) mod search;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wasmtime::component::Linker;

use super::base::UNAVAILABLE;
use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared, require_import};
use super::operations::{OperationRecord, Operations};
use crate::bindings::behalf::tool::knowledge::{Error, Host, Passage as GuestPassage, add_to_linker};
use crate::grants::{GrantError, Grants};
use crate::guest_time::timed;
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};
use call::CallKnowledge;
use search::{KnowledgeError, KnowledgeSearch, Passage};

/// Searches of one call. A model's question takes a few; a loop of them would search for whoever wrote the loop.
const MAX_SEARCHES: usize = 50;

/// The knowledge bases of one call. The default has none.
#[derive(Debug, Default)]
pub(crate) struct KnowledgeCtx {
    prepared: Option<CallKnowledge>,
    operations: Operations,
    spent: Duration,
}

impl KnowledgeCtx {
    /// Time that the host itself worked on searches. Time in which it waited is not counted.
    pub(crate) fn host_time(&self) -> Duration {
        self.spent
    }

    /// The searches of the call, for the audit log.
    pub(crate) fn take_records(&mut self) -> Vec<OperationRecord> {
        self.operations.take()
    }
}

impl Host for View<'_, KnowledgeCtx> {
    async fn search(&mut self, text: String, options: String) -> wasmtime::Result<Result<Vec<GuestPassage>, Error>> {
        self.base.host_calls.count()?;
        let call = prepared(self.ctx.prepared.as_ref())?;
        if !self.ctx.operations.begin("knowledge.search", MAX_SEARCHES) {
            let message = format!("a call searches at most {MAX_SEARCHES} times; do the rest in another one");
            return Ok(Err(convert_error(KnowledgeError::new("limit", message))));
        }
        let mut spent = Duration::ZERO;
        let found = timed(call.passages(&self.base.memory, &text, &options), &mut spent).await;
        self.ctx.spent += spent;
        let found = found?;
        self.ctx.operations.end(found.as_ref().map(Vec::len).map_err(|error| error.code));
        self.base.met_outage |= found.as_ref().is_err_and(|error| error.code == UNAVAILABLE && error.retryable);
        Ok(found.map(|passages| passages.into_iter().map(passage).collect()).map_err(convert_error))
    }
}

/// What the host itself knows of a passage is part of its metadata, whatever the document says there.
fn passage(passage: Passage) -> GuestPassage {
    let Passage { chunk, source, source_name, knowledge_base, text, score, mut meta } = passage;
    meta.insert("source_name".to_owned(), source_name.map_or(Value::Null, Value::String));
    let base = knowledge_base.map_or(Value::Null, |id| Value::String(id.to_string()));
    meta.insert("knowledge_base_id".to_owned(), base);
    GuestPassage {
        chunk: chunk.to_string(),
        source: source.to_string(),
        text,
        score: if score.is_finite() { score } else { 0.0 },
        meta: Value::Object(meta).to_string(),
    }
}

fn convert_error(error: KnowledgeError) -> Error {
    Error { code: error.code.to_owned(), message: error.message, retryable: error.retryable }
}

/// Search in knowledge bases, where it was granted.
#[derive(Debug)]
pub(crate) struct Knowledge {
    search: Option<Arc<dyn KnowledgeSearch>>,
}

impl Capability for Knowledge {
    type Ctx = KnowledgeCtx;
    type Granted = ();

    fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self { search: options.knowledge.clone() })
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "knowledge", functions: &["search"] }),
        }
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.knowledge().is_some()
    }

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        let Some(grant) = grants.knowledge() else { return Ok(()) };
        require_import(imports, "knowledge", "behalf:tool/knowledge")?;
        grant.check()
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.knowledge()?;
        theirs.knowledge().is_none_or(|theirs| mine.exceeds(theirs)).then_some("knowledge bases")
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
        let Some(grant) = call.grants.knowledge() else { return Ok(()) };
        view.ctx.prepared = Some(CallKnowledge {
            search: self.search.clone(),
            grant: grant.clone(),
            scope: call.request.knowledge.clone(),
            principal: Arc::clone(&call.request.principal),
            agent: call.request.agent,
            key: call.request.key,
            deadline: call.deadline.clone(),
            output_bytes: call.limits.output_bytes,
        });
        Ok(())
    }
}
