use serde_json::Value;

use super::rows::{lost, without_times};
use crate::ground::{Caller, Ground, GroundError, shortened};
use crate::suite::Suite;

/// Calls of each tool.
const CALLS: usize = 2;

impl<G: Ground> Suite<'_, G> {
    /// What writing tools say of their writes.
    pub(crate) async fn writes(&mut self) -> Result<(), GroundError> {
        for (tool, arguments) in self.some_good(CALLS) {
            let Some(known) = self.tools.get(tool) else { continue };
            let (idempotent, additive) = (known.idempotent, known.additive);
            let asked = self.book.wants(&["writes.idempotent", "writes.additive"]);
            if known.read_only || !(idempotent || additive) || !asked {
                continue;
            }
            self.write(tool, &arguments, idempotent, additive).await?;
            self.ground.restore().await?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        tool: usize,
        arguments: &Value,
        idempotent: bool,
        additive: bool,
    ) -> Result<(), GroundError> {
        let call = self.call_of(tool, Caller::Alice, arguments, true);
        let before = self.ground.rows().await?;
        if self.make(&call).await?.result().is_none() {
            return Ok(());
        }
        let once = self.ground.rows().await?;
        if once == before {
            return Ok(());
        }
        if additive {
            self.book.checked("writes.additive");
            if let Some((table, row)) = lost(&before, &once).first() {
                let seen = format!("a row of {table} was changed or deleted: {}", shortened(&row.to_string()));
                self.breaks("writes.additive", &call, seen);
            }
        }
        if idempotent {
            self.make(&call).await?;
            let twice = self.ground.rows().await?;
            self.book.checked("writes.idempotent");
            if without_times(&once) != without_times(&twice) {
                let id = "writes.idempotent";
                let name = &call.tool;
                let more =
                    lost(&twice, &once).first().map(|(table, row)| format!("{table}: {row}")).unwrap_or_default();
                let seen = format!("{name} {}: called twice, it left {}", shortened(&call.arguments), shortened(&more));
                self.book.broken(id, seen, self.reproduce.check(id));
            }
        }
        Ok(())
    }
}
