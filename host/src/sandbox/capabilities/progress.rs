use tokio::sync::mpsc;

use crate::sandbox::bindings::behalf::tool::progress::Host;
use crate::sandbox::state::CallState;

/// Reports of one call that are passed on.
const MAX_REPORTS: u32 = 1000;
/// Characters of a report's message.
const MAX_MESSAGE_CHARS: usize = 500;

/// A report of how far a call is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Of so many, where known.
    pub total: Option<u64>,
    /// A sentence for people.
    pub message: Option<String>,
}

/// Where a call's reports go.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct ProgressCtx {
    pub(in crate::sandbox) to: Option<mpsc::Sender<Progress>>,
    pub(in crate::sandbox) sent: u32,
}

impl Host for CallState {
    async fn report(&mut self, done: u64, total: Option<u64>, message: Option<String>) -> wasmtime::Result<()> {
        self.host_calls.count()?;
        if let Some(to) = &self.progress.to
            && self.progress.sent < MAX_REPORTS
        {
            self.progress.sent += 1;
            let message = message.map(|text| text.chars().take(MAX_MESSAGE_CHARS).collect());
            // A listener that is behind misses a report; a tool must not wait for it.
            to.try_send(Progress { done, total, message }).ok();
        }
        Ok(())
    }
}
