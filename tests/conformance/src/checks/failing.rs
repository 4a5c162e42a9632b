//! Operations that fail, whatever they reach: the tool must not report success, nor that there was nothing.

use crate::call::{Call, CallRecord, Failure, Operation, Outcome, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};

/// A call that uses what will fail, with its outcome when nothing fails.
pub(super) struct Baseline {
    pub(super) tool: usize,
    pub(super) call: Call,
    pub(super) well: CallRecord,
    /// Its outcome when the caller has nothing, where that was looked at.
    pub(super) empty: Option<CallRecord>,
}

impl<G: TestBed> Suite<'_, G> {
    /// Calls that succeed and do something that `uses` looks for; so many of each tool are tried.
    pub(super) async fn calls_that_use(
        &mut self,
        calls: usize,
        uses: impl Fn(&CallRecord) -> bool,
    ) -> Result<Vec<Baseline>, TestBedError> {
        let mut known = Vec::new();
        for (tool, arguments) in self.some_good(calls) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let well = self.make(&call).await?;
            if well.result().is_some() && uses(&well) {
                known.push(Baseline { tool, call, well, empty: None });
            }
        }
        Ok(known)
    }

    /// Checks what the tool made of an operation that failed because of `what`.
    pub(super) fn check_failed_operation(
        &mut self,
        id: &'static str,
        known: &Baseline,
        (seen, failed): (&CallRecord, &Operation),
        what: &str,
    ) {
        self.findings.checked(id);
        let Some(fault) = self.fault_of(known, seen, failed) else { return };
        let (name, detail) = (&known.call.tool, &failed.detail);
        let seen = format!("{name} {}: {what} ({detail}): {fault}", shortened(&known.call.arguments));
        self.findings.broken(id, seen, self.reproduce.check(id));
    }

    fn fault_of(&self, known: &Baseline, seen: &CallRecord, failed: &Operation) -> Option<String> {
        let Baseline { tool, well, empty, .. } = known;
        let is_empty = |result| empty.as_ref().is_some_and(|empty| empty.result() == result);
        match &seen.outcome {
            // Crashes without a grant are for `grants.missing`.
            Outcome::Failed(Failure::Trap, _) if failed.detail == "not_granted" => None,
            Outcome::Failed(Failure::Trap | Failure::NotJson, _) => Some(seen.summary()),
            Outcome::Result(result) if Some(result) == well.result() => {
                // A tool that only reads did not need the operation for this result, unless there is nothing in it.
                let read_only = self.tools.get(*tool).is_some_and(|tool| tool.read_only);
                let needed = !read_only || is_empty(well.result());
                needed.then(|| format!("the tool answered as if all had gone well, with {}", seen.summary()))
            }
            Outcome::Result(result) if is_empty(Some(result)) => {
                Some(format!("the tool answered as if there was nothing, with {}", seen.summary()))
            }
            _ => None,
        }
    }
}
