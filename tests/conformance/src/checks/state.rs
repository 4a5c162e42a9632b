//! State: several calls in one instance answer as calls in new instances do.

use crate::call::{CallRecord, Failure, Outcome, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{BetweenCalls, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 3;

const ID: &str = "state.fresh";

impl<G: TestBed> Suite<'_, G> {
    /// Makes several calls in one instance and compares their answers with those of new instances.
    pub(crate) async fn one_instance(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) {
            return Ok(());
        }
        for tool in 0..self.tools.len() {
            let mut arguments = Vec::new();
            let mut fresh = Vec::new();
            for one in self.good.get(tool).cloned().unwrap_or_default().iter().take(CALLS) {
                let call = self.call_of(tool, Caller::Alice, one, false);
                let (first, second) = (self.make(&call).await?, self.make(&call).await?);
                // Calls whose answer varies cannot be compared.
                if first.outcome == second.outcome {
                    arguments.push(call.arguments);
                    fresh.push(first);
                }
            }
            let (Some(first), Some(first_seen)) = (arguments.first().cloned(), fresh.first().cloned()) else {
                continue;
            };
            arguments.push(first.clone());
            fresh.push(first_seen);
            self.compare(tool, &arguments, &fresh, BetweenCalls::Nothing).await?;
            self.test_bed.restore().await?;
            self.without_rows(tool, &first).await?;
        }
        Ok(())
    }

    /// Makes the same call again in one instance, after the caller's rows were deleted.
    async fn without_rows(&mut self, tool: usize, arguments: &str) -> Result<(), TestBedError> {
        let call = self.call_of(tool, Caller::Alice, arguments, false);
        let with = self.make(&call).await?;
        self.test_bed.delete_rows(Caller::Alice).await?;
        let (without, again) = (self.make(&call).await?, self.make(&call).await?);
        self.test_bed.restore().await?;
        // With the rows the answer is the same twice. Without them it may vary: a new row gets a new id each time.
        if without.outcome != again.outcome {
            return Ok(());
        }
        let twice = [arguments.to_owned(), arguments.to_owned()];
        self.compare(tool, &twice, &[with, without], BetweenCalls::DeleteRows(Caller::Alice)).await?;
        self.test_bed.restore().await
    }

    async fn compare(
        &mut self,
        tool: usize,
        arguments: &[String],
        fresh: &[CallRecord],
        between: BetweenCalls,
    ) -> Result<(), TestBedError> {
        let name = self.name(tool).to_owned();
        let seen = self.test_bed.calls_in_one_instance(Caller::Alice, &name, arguments, between).await?;
        self.measures.calls += seen.len() as u64;
        for (place, (seen, fresh)) in seen.iter().zip(fresh).enumerate().skip(1) {
            // The component is not to blame, or, where the host did not commit, for something else: these calls end without a commit.
            let is_other = matches!(seen.outcome, Outcome::Failed(Failure::Host | Failure::Deadline, _));
            if is_other || fresh.failure() == Some(Failure::Commit) {
                continue;
            }
            self.findings.checked(ID);
            if seen.outcome != fresh.outcome {
                let text = format!(
                    "call {} of {name} in one instance, {}: {}, where a new instance gives {}",
                    place + 1,
                    shortened(arguments.get(place).map_or("", String::as_str)),
                    seen.summary(),
                    fresh.summary()
                );
                self.findings.broken(ID, text, self.reproduce.check(ID));
                return Ok(());
            }
        }
        Ok(())
    }
}
