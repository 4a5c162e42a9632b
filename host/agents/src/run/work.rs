//! What the steps of one run share.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use super::deadline::Deadline;
use super::error::LeaseLost;
use super::event::Event;
use super::journal::Journal;
use super::place::RunPlace;
use super::recorder::Recorder;
use super::records::JournalEntry;

/// What the steps of one run share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunWork<'a> {
    /// Takes the events.
    pub(crate) recorder: &'a Recorder,
    /// Takes the entries for a host that resumes the run.
    pub(crate) journal: &'a Journal,
    /// How long the run may still work.
    pub(crate) deadline: &'a Deadline,
    /// The run's place among those that work at once; it is not needed while the run waits.
    pub(crate) place: &'a RunPlace,
    /// Calls that an earlier host began and did not end: their steps and the model's names for them.
    pub(crate) begun: &'a [(u32, String)],
    /// The number of the last passage that the run's model was given.
    pub(crate) numbered: &'a AtomicU32,
}

impl RunWork<'_> {
    /// Records an event.
    pub(crate) async fn record(&self, event: Event) -> Result<(), LeaseLost> {
        self.recorder.record(event).await
    }

    /// Writes down what the run did.
    pub(crate) async fn write(&self, entry: &JournalEntry) -> Result<(), LeaseLost> {
        self.journal.write(std::slice::from_ref(entry), self.worked()).await
    }

    /// Whether an earlier host began this call and did not end it.
    pub(crate) fn was_begun(&self, step: u32, call_id: &str) -> bool {
        self.begun.iter().any(|(of, id)| *of == step && id == call_id)
    }

    fn worked(&self) -> Duration {
        self.deadline.worked()
    }
}
