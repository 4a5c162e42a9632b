use std::time::Duration;

use rand::Rng;

use super::rows::{made, volatile};
use crate::ground::{Call, Caller, Ground, GroundError, shortened};
use crate::suite::Suite;

/// Calls of each tool.
const CALLS: usize = 1;
/// Points at which a call is cancelled.
const POINTS: u32 = 8;
/// A call is taken to last at least this long.
const SHORTEST: Duration = Duration::from_millis(4);

const ID: &str = "cancel.clean";

impl<G: Ground> Suite<'_, G> {
    /// Calls that change rows are cancelled on the way.
    pub(crate) async fn cancel(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&[ID]) {
            return Ok(());
        }
        for (tool, arguments) in self.some_good(CALLS) {
            if self.tools.get(tool).is_none_or(|tool| tool.read_only) {
                continue;
            }
            let call = self.call_of(tool, Caller::Alice, &arguments, true);
            self.cancel_one(&call).await?;
            self.ground.restore().await?;
        }
        Ok(())
    }

    async fn cancel_one(&mut self, call: &Call) -> Result<(), GroundError> {
        let before = self.ground.rows().await?;
        let seen = self.make(call).await?;
        let first = self.ground.rows().await?;
        self.ground.restore().await?;
        if first == before {
            return Ok(());
        }
        self.make(call).await?;
        let second = self.ground.rows().await?;
        self.ground.restore().await?;
        let volatile = volatile(&before, &first, &second);
        let whole = made(&before, &first, &volatile);
        let lasts = seen.duration.max(SHORTEST);
        for point in 0..POINTS {
            // One draw from each part of the call, and a little beyond it.
            let part = (f64::from(point) + self.rng.random_range(0.0..1.0)) / f64::from(POINTS) * 1.1;
            let after = lasts.mul_f64(part);
            self.measures.calls += 1;
            self.ground.cancelled(call, after).await?;
            let rows = self.ground.rows().await?;
            self.book.checked(ID);
            if rows == before {
                continue;
            }
            self.ground.restore().await?;
            let left = made(&before, &rows, &volatile);
            if left != whole {
                let text = format!(
                    "{} cancelled after {} us of {}: it left {}",
                    call.tool,
                    after.as_micros(),
                    lasts.as_micros(),
                    shortened(&left.join(", "))
                );
                self.book.broken(ID, text, self.reproduce.check(ID));
                return Ok(());
            }
        }
        Ok(())
    }
}
