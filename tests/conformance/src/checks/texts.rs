//! Searches and operations on memories that fail: the tool must not report success, nor that there was nothing.

use serde_json::json;

use crate::call::{Call, CallRecord, Failure, Outcome, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 3;

const SEARCHES: &str = "searches.failed";
const MEMORIES: &str = "memories.failed";

/// A call with its outcome when every operation succeeds, and its outcome when the caller has nothing.
struct Baseline {
    tool: usize,
    call: Call,
    well: CallRecord,
    empty: CallRecord,
}

impl<G: TestBed> Suite<'_, G> {
    /// Makes searches and then memories fail, and checks that the tool reports it.
    pub(crate) async fn failing_texts(&mut self) -> Result<(), TestBedError> {
        if self.findings.wants(&[SEARCHES]) && self.setup.grants.get("knowledge").is_some() {
            let known = self.baselines_of("knowledge.").await?;
            self.test_bed.fail_searches(true).await?;
            self.check_all(SEARCHES, &known, "all searches failed").await?;
            self.test_bed.fail_searches(false).await?;
        }
        if self.findings.wants(&[MEMORIES]) && self.setup.grants.get("memory").is_some() {
            let known = self.baselines_of("memory.").await?;
            self.test_bed.fail_memories(true).await?;
            self.check_all(MEMORIES, &known, "all operations failed").await?;
            self.test_bed.fail_memories(false).await?;
            self.without_remembering(&known).await?;
        }
        Ok(())
    }

    /// Calls that use this capability, with and without documents and memories.
    async fn baselines_of(&mut self, capability: &str) -> Result<Vec<Baseline>, TestBedError> {
        let mut known = Vec::new();
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let well = self.make(&call).await?;
            let uses_it = well.texts.iter().any(|operation| operation.name.starts_with(capability));
            if well.result().is_some() && uses_it {
                known.push(Baseline { tool, call, empty: well.clone(), well });
            }
        }
        for one in &mut known {
            self.test_bed.restore().await?;
            self.test_bed.delete_rows(Caller::Alice).await?;
            one.empty = self.make(&one.call).await?;
        }
        self.test_bed.restore().await?;
        Ok(known)
    }

    async fn without_remembering(&mut self, known: &[Baseline]) -> Result<(), TestBedError> {
        let mut setup: Setup = self.setup.clone();
        setup.grants["memory"] = json!("read");
        if setup == self.setup || !self.test_bed.configure(&setup).await? {
            return Ok(());
        }
        self.check_all(MEMORIES, known, "remembering was not granted").await?;
        self.test_bed.configure(&self.setup).await?;
        Ok(())
    }

    async fn check_all(&mut self, id: &'static str, known: &[Baseline], what: &str) -> Result<(), TestBedError> {
        for one in known {
            let seen = self.make(&one.call).await?;
            self.check_failing_texts(id, one, &seen, what);
        }
        Ok(())
    }

    fn check_failing_texts(&mut self, id: &'static str, known: &Baseline, seen: &CallRecord, what: &str) {
        let Some(failed) = seen.texts.iter().find(|operation| !operation.succeeded) else { return };
        self.findings.checked(id);
        let read_only = self.tools.get(known.tool).is_some_and(|tool| tool.read_only);
        let fault = match &seen.outcome {
            // Crashes without a grant are for `grants.missing`.
            Outcome::Failed(Failure::Trap, _) if failed.detail == "not_granted" => return,
            Outcome::Failed(Failure::Trap | Failure::NotJson, _) => seen.summary(),
            Outcome::Result(result) if Some(result) == known.well.result() => {
                // A tool that only reads did not need the operation for this result, unless there is nothing in it.
                if read_only && known.well.result() != known.empty.result() {
                    return;
                }
                format!("the tool answered as if all had gone well, with {}", seen.summary())
            }
            Outcome::Result(result) if Some(result) == known.empty.result() => {
                format!("the tool answered as if there was nothing, with {}", seen.summary())
            }
            _ => return,
        };
        let (name, detail) = (&known.call.tool, &failed.detail);
        let seen = format!("{name} {}: {what} ({detail}): {fault}", shortened(&known.call.arguments));
        self.findings.broken(id, seen, self.reproduce.check(id));
    }
}
