//! Writes to the plugin's own store that fail: the tool must not report success.

use serde_json::json;

use crate::call::Operation;
use crate::suite::Suite;
use crate::test_bed::{Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 4;

const ID: &str = "stores.failed";

impl<G: TestBed> Suite<'_, G> {
    /// Makes writes to the store fail and checks that the tool reports it.
    pub(crate) async fn failing_stores(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) || self.setup.grants.get("kv").is_none() {
            return Ok(());
        }
        let is_of_store = |operation: &Operation| operation.name.starts_with("kv.");
        let known = self.calls_that_use(CALLS, |seen| seen.texts.iter().any(is_of_store)).await?;
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
                let failed = seen.texts.iter().find(|operation| is_of_store(operation) && !operation.succeeded);
                if let Some(failed) = failed {
                    self.check_failed_operation(ID, one, (&seen, failed), what);
                }
            }
            self.test_bed.configure(&self.setup).await?;
        }
        Ok(())
    }
}
