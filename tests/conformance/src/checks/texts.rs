//! Searches and operations on memories that fail: the tool must not report success, nor that there was nothing.

use serde_json::json;

use super::failing::Baseline;
use crate::call::CallRecord;
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 3;

const SEARCHES: &str = "searches.failed";
const MEMORIES: &str = "memories.failed";

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
        let uses_it = |seen: &CallRecord| seen.texts.iter().any(|operation| operation.name.starts_with(capability));
        let mut known = self.calls_that_use(CALLS, uses_it).await?;
        for one in &mut known {
            self.test_bed.restore().await?;
            self.test_bed.delete_rows(Caller::Alice).await?;
            one.empty = Some(self.make(&one.call).await?);
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
            if let Some(failed) = seen.texts.iter().find(|operation| !operation.succeeded) {
                self.check_failed_operation(id, one, (&seen, failed), what);
            }
        }
        Ok(())
    }
}
