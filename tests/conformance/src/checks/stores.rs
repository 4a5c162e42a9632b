//! Writes to the plugin's own store that fail: the tool must not report success.

use serde_json::json;

use crate::call::{Call, CallRecord, Failure, Outcome, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 4;

const ID: &str = "stores.failed";

/// A call that uses the store, with its outcome when nothing fails.
struct Baseline {
    tool: usize,
    call: Call,
    well: CallRecord,
}

impl<G: TestBed> Suite<'_, G> {
    /// Makes writes to the store fail and checks that the tool reports it.
    pub(crate) async fn failing_stores(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) || self.setup.grants.get("kv").is_none() {
            return Ok(());
        }
        let mut known = Vec::new();
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let well = self.make(&call).await?;
            if well.result().is_some() && well.texts.iter().any(|operation| operation.name.starts_with("kv.")) {
                known.push(Baseline { tool, call, well });
            }
        }
        // No entry is as small as one byte.
        for (member, value, what) in
            [("max_bytes", json!(1), "the store was full"), ("access", json!("read"), "writing was not granted")]
        {
            let mut setup: Setup = self.setup.clone();
            setup.grants["kv"][member] = value;
            if setup == self.setup || !self.test_bed.configure(&setup).await? {
                continue;
            }
            for one in &known {
                let seen = self.make(&one.call).await?;
                self.check_failing_stores(one, &seen, what);
            }
            self.test_bed.configure(&self.setup).await?;
        }
        Ok(())
    }

    fn check_failing_stores(&mut self, known: &Baseline, seen: &CallRecord, what: &str) {
        let is_of_store = |name: &str| name.starts_with("kv.");
        let failed = seen.texts.iter().find(|operation| is_of_store(operation.name) && !operation.succeeded);
        let Some(failed) = failed else { return };
        self.findings.checked(ID);
        let read_only = self.tools.get(known.tool).is_some_and(|tool| tool.read_only);
        let fault = match &seen.outcome {
            // Crashes without a grant are for `grants.missing`.
            Outcome::Failed(Failure::Trap, _) if failed.detail == "not_granted" => return,
            Outcome::Failed(Failure::Trap | Failure::NotJson, _) => seen.summary(),
            // A tool that only reads did not need to write for this result.
            Outcome::Result(result) if Some(result) == known.well.result() && !read_only => {
                format!("the tool answered as if all had gone well, with {}", seen.summary())
            }
            _ => return,
        };
        let (name, detail) = (&known.call.tool, &failed.detail);
        let seen = format!("{name} {}: {what} ({detail}): {fault}", shortened(&known.call.arguments));
        self.findings.broken(ID, seen, self.reproduce.check(ID));
    }
}
