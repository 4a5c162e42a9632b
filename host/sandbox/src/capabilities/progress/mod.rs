//! `behalf:tool/progress`: reports of how far a call is.

pub(crate) mod report;

use std::sync::Arc;

use tokio::sync::mpsc;
use wasmtime::component::Linker;

use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View};
use crate::answer::is_result;
use crate::bindings::behalf::tool::progress::{Host, add_to_linker};
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};
use report::{Part, Progress, Report};

/// Reports of one call that are passed on, parts of its result among them.
const MAX_REPORTS: u32 = 1000;
/// Characters of a report's message.
const MAX_MESSAGE_CHARS: usize = 500;

/// Bytes of a part of a result.
const MAX_PART: usize = 64 * 1024;
/// Bytes of the parts of one call that are passed on: as many as a result has.
const MAX_PARTS: usize = 1024 * 1024;

/// The receiver of one call's reports. The default drops them.
#[derive(Debug, Default)]
pub(crate) struct ProgressCtx {
    receiver: Option<mpsc::Sender<Report>>,
    sent: u32,
    /// Bytes of the parts that were sent.
    parts: usize,
}

impl Host for View<'_, ProgressCtx> {
    async fn report(&mut self, done: u64, total: Option<u64>, message: Option<String>) -> wasmtime::Result<()> {
        self.base.host_calls.count()?;
        let ProgressCtx { receiver, sent, .. } = &mut *self.ctx;
        if let Some(receiver) = receiver
            && *sent < MAX_REPORTS
        {
            *sent += 1;
            let message: Option<String> = message.map(|text| text.chars().take(MAX_MESSAGE_CHARS).collect());
            let bytes = message.as_ref().map_or(0, String::capacity) + size_of::<Progress>();
            let charge = Arc::new(self.base.memory.charge(bytes)?);
            // A listener that is behind misses a report; a tool must not wait for it.
            receiver.try_send(Report::Progress(Progress { done, total, message, _charge: charge })).ok();
        }
        Ok(())
    }

    async fn partial(&mut self, part: String) -> wasmtime::Result<()> {
        self.base.host_calls.count()?;
        if part.len() > MAX_PART || !is_result(&part) {
            return Err(wasmtime::format_err!("a part of a result is no JSON of at most {MAX_PART} bytes"));
        }
        let ProgressCtx { receiver, sent, parts } = &mut *self.ctx;
        // What does not fit any more ends it: a smaller part after it would leave a hole.
        *parts = parts.saturating_add(part.len());
        if let Some(receiver) = receiver
            && *sent < MAX_REPORTS
            && *parts <= MAX_PARTS
        {
            *sent += 1;
            let charge = Arc::new(self.base.memory.charge(part.capacity() + size_of::<Part>())?);
            // A result with a hole would be another one. Nobody listens any more where this fails.
            receiver.send(Report::Part(Part { json: part, _charge: charge })).await.ok();
        }
        Ok(())
    }
}

/// Reports of progress, and parts of results. They carry no power.
#[derive(Debug)]
pub(crate) struct ProgressReports;

impl Capability for ProgressReports {
    type Ctx = ProgressCtx;
    type Granted = ();

    fn open(_options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self)
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface { name: "progress", functions: &["report", "partial"] }),
        }
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
        view.ctx.receiver = call.request.progress.take();
        Ok(())
    }
}
