//! Operations on objects that fail: the tool must not report success.

use serde_json::json;

use crate::call::{Call, CallRecord, Failure, Outcome, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 4;

const ID: &str = "objects.failed";

/// A call with its outcome when every operation succeeds.
struct Baseline {
    tool: usize,
    call: Call,
    well: CallRecord,
}

impl<G: TestBed> Suite<'_, G> {
    /// Makes operations on objects fail and checks that the tool reports it.
    pub(crate) async fn failing_objects(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) || self.setup.grants.get("storage").is_none() {
            return Ok(());
        }
        let mut known = Vec::new();
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let well = self.make(&call).await?;
            // A call without operations has none that could fail.
            if well.result().is_some() && !well.objects.is_empty() {
                known.push(Baseline { tool, call, well });
            }
        }
        self.test_bed.deny_objects(true).await?;
        for one in &known {
            let seen = self.make(&one.call).await?;
            self.check_failing_objects(one, &seen, "all operations were denied");
        }
        self.test_bed.deny_objects(false).await?;
        let mut setup: Setup = self.setup.clone();
        setup.grants["storage"]["access"] = json!("read");
        if setup == self.setup || !self.test_bed.configure(&setup).await? {
            return Ok(());
        }
        for one in &known {
            let seen = self.make(&one.call).await?;
            self.check_failing_objects(one, &seen, "writing was not granted");
        }
        self.test_bed.configure(&self.setup).await?;
        Ok(())
    }

    fn check_failing_objects(&mut self, known: &Baseline, seen: &CallRecord, what: &str) {
        let Some(failed) = seen.objects.iter().find(|operation| !operation.succeeded) else { return };
        // Crashes without a grant are for `grants.missing`.
        self.findings.checked(ID);
        let read_only = self.tools.get(known.tool).is_some_and(|tool| tool.read_only);
        let fault = match &seen.outcome {
            Outcome::Failed(Failure::Trap, _) if failed.detail == "not_granted" => return,
            Outcome::Failed(Failure::Trap | Failure::NotJson, _) => seen.summary(),
            // A tool that only reads did not need the object for this result.
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
