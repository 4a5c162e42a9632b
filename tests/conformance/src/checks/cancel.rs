//! Calls that change rows and are cancelled half-way: they leave all of their changes or none.

use std::time::Duration;

use rand::Rng;

use super::rows::{differences, volatile};
use crate::call::{Call, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 1;
/// The number of moments at which a call is cancelled.
const POINTS: u32 = 8;
/// The shortest time that a call is assumed to take.
const SHORTEST: Duration = Duration::from_millis(4);

const ID: &str = "cancel.clean";

impl<G: TestBed> Suite<'_, G> {
    /// Cancels calls that change rows.
    pub(crate) async fn cancel(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) {
            return Ok(());
        }
        for (tool, arguments) in self.some_good(CALLS) {
            if self.tools.get(tool).is_none_or(|tool| tool.read_only) {
                continue;
            }
            let call = self.call_of(tool, Caller::Alice, &arguments, true);
            self.cancel_one(&call).await?;
            self.test_bed.restore().await?;
        }
        Ok(())
    }

    async fn cancel_one(&mut self, call: &Call) -> Result<(), TestBedError> {
        let before = self.test_bed.rows().await?;
        let seen = self.make(call).await?;
        let first = self.test_bed.rows().await?;
        self.test_bed.restore().await?;
        if first == before {
            return Ok(());
        }
        self.make(call).await?;
        let second = self.test_bed.rows().await?;
        self.test_bed.restore().await?;
        let volatile = volatile(&before, &first, &second);
        let whole = differences(&before, &first, &volatile);
        let lasts = seen.duration.max(SHORTEST);
        for point in 0..POINTS {
            // One random moment in each part of the call, and a little beyond its end.
            let part = (f64::from(point) + self.rng.random_range(0.0..1.0)) / f64::from(POINTS) * 1.1;
            let after = lasts.mul_f64(part);
            self.measures.calls += 1;
            self.test_bed.cancelled_call(call, after).await?;
            let rows = self.test_bed.rows().await?;
            self.findings.checked(ID);
            if rows == before {
                continue;
            }
            self.test_bed.restore().await?;
            let left = differences(&before, &rows, &volatile);
            if left != whole {
                let text = format!(
                    "{} cancelled after {} us of {}: it left {}",
                    call.tool,
                    after.as_micros(),
                    lasts.as_micros(),
                    shortened(&left.join(", "))
                );
                self.findings.broken(ID, text, self.reproduce.check(ID));
                return Ok(());
            }
        }
        Ok(())
    }
}
