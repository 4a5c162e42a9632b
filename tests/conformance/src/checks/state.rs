use crate::ground::{Between, Caller, Ground, GroundError, Outcome, Seen, shortened};
use crate::suite::Suite;

/// Calls of each tool.
const CALLS: usize = 3;

const ID: &str = "state.fresh";

impl<G: Ground> Suite<'_, G> {
    /// Calls made in one instance answer as in new ones.
    pub(crate) async fn one_instance(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&[ID]) {
            return Ok(());
        }
        for tool in 0..self.tools.len() {
            let mut arguments = Vec::new();
            let mut fresh = Vec::new();
            for one in self.good.get(tool).cloned().unwrap_or_default().iter().take(CALLS) {
                let call = self.call_of(tool, Caller::Alice, one, false);
                let (first, second) = (self.make(&call).await?, self.make(&call).await?);
                // What never answers twice the same cannot be compared.
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
            self.compare(tool, &arguments, &fresh, Between::Nothing).await?;
            self.ground.restore().await?;
            self.without_rows(tool, &first).await?;
        }
        Ok(())
    }

    /// The same call again after the caller's rows are gone.
    async fn without_rows(&mut self, tool: usize, arguments: &str) -> Result<(), GroundError> {
        let call = self.call_of(tool, Caller::Alice, arguments, false);
        let with = self.make(&call).await?;
        self.ground.forget(Caller::Alice).await?;
        let without = self.make(&call).await?;
        self.ground.restore().await?;
        let twice = [arguments.to_owned(), arguments.to_owned()];
        self.compare(tool, &twice, &[with, without], Between::RowsGoOf(Caller::Alice)).await?;
        self.ground.restore().await
    }

    async fn compare(
        &mut self,
        tool: usize,
        arguments: &[String],
        fresh: &[Seen],
        between: Between,
    ) -> Result<(), GroundError> {
        let name = self.name(tool).to_owned();
        let seen = self.ground.sequence(Caller::Alice, &name, arguments, between).await?;
        self.measures.calls += seen.len() as u64;
        for (place, (seen, fresh)) in seen.iter().zip(fresh).enumerate().skip(1) {
            // Nothing that the component did.
            if matches!(
                seen.outcome,
                Outcome::Failed(crate::ground::Failure::Host | crate::ground::Failure::Deadline, _)
            ) {
                continue;
            }
            self.book.checked(ID);
            if seen.outcome != fresh.outcome {
                let text = format!(
                    "call {} of {name} in one instance, {}: {}, where a new instance gives {}",
                    place + 1,
                    shortened(arguments.get(place).map_or("", String::as_str)),
                    seen.summary(),
                    fresh.summary()
                );
                self.book.broken(ID, text, self.reproduce.check(ID));
                return Ok(());
            }
        }
        Ok(())
    }
}
