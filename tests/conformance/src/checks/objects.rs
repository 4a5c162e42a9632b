//! Operations on objects that fail: the tool must not report success.

use serde_json::json;

use super::failing::Baseline;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 4;

const ID: &str = "objects.failed";

impl<G: TestBed> Suite<'_, G> {
    /// Makes operations on objects fail and checks that the tool reports it.
    pub(crate) async fn failing_objects(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) || self.setup.grants.get("storage").is_none() {
            return Ok(());
        }
        // A call without operations has none that could fail.
        let known = self.calls_that_use(CALLS, |seen| !seen.objects.is_empty()).await?;
        self.test_bed.deny_objects(true).await?;
        self.check_failing_objects(&known, "all operations were denied").await?;
        self.test_bed.deny_objects(false).await?;
        let mut setup: Setup = self.setup.clone();
        setup.grants["storage"]["access"] = json!("read");
        if setup == self.setup || !self.test_bed.configure(&setup).await? {
            return Ok(());
        }
        self.check_failing_objects(&known, "writing was not granted").await?;
        self.test_bed.configure(&self.setup).await?;
        Ok(())
    }

    async fn check_failing_objects(&mut self, known: &[Baseline], what: &str) -> Result<(), TestBedError> {
        for one in known {
            let seen = self.make(&one.call).await?;
            if let Some(failed) = seen.objects.iter().find(|operation| !operation.succeeded) {
                self.check_failed_operation(ID, one, (&seen, failed), what);
            }
        }
        Ok(())
    }
}
