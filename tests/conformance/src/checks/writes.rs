//! Writes: a tool that says it is idempotent, or only adds rows, does so.

use serde_json::Value;

use super::rows::{lost, without_times};
use crate::arguments::varied;
use crate::call::shortened;
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 2;
/// The number of other arguments with which an adding call is made again.
const VARIED: usize = 8;

impl<G: TestBed> Suite<'_, G> {
    /// Makes writing calls and compares their changes with the tool's annotations.
    pub(crate) async fn writes(&mut self) -> Result<(), TestBedError> {
        for (tool, arguments) in self.some_good(CALLS) {
            let Some(known) = self.tools.get(tool) else { continue };
            let (idempotent, additive) = (known.idempotent, known.additive);
            let asked = self.findings.wants(&["writes.idempotent", "writes.additive"]);
            if known.read_only || !(idempotent || additive) || !asked {
                continue;
            }
            self.write(tool, &arguments, idempotent, additive).await?;
            self.test_bed.restore().await?;
            if additive {
                self.overwrite(tool, &arguments).await?;
            }
        }
        Ok(())
    }

    async fn write(
        &mut self,
        tool: usize,
        arguments: &Value,
        idempotent: bool,
        additive: bool,
    ) -> Result<(), TestBedError> {
        let call = self.call_of(tool, Caller::Alice, arguments, true);
        let before = self.test_bed.rows().await?;
        if self.make(&call).await?.result().is_none() {
            return Ok(());
        }
        let once = self.test_bed.rows().await?;
        if once == before {
            return Ok(());
        }
        if additive {
            self.findings.checked("writes.additive");
            if let Some((table, row)) = lost(&before, &once).first() {
                let seen = format!("a row of {table} was changed or deleted: {}", shortened(&row.to_string()));
                self.breaks("writes.additive", &call, seen);
            }
        }
        if idempotent {
            let again = self.make(&call).await?;
            self.check_swallowed(&call, &again);
            let twice = self.test_bed.rows().await?;
            self.findings.checked("writes.idempotent");
            if without_times(&once) != without_times(&twice) {
                let id = "writes.idempotent";
                let name = &call.tool;
                let more =
                    lost(&twice, &once).first().map(|(table, row)| format!("{table}: {row}")).unwrap_or_default();
                let seen = format!("{name} {}: called twice, it left {}", shortened(&call.arguments), shortened(&more));
                self.findings.broken(id, seen, self.reproduce.check(id));
            }
        }
        Ok(())
    }

    /// Makes an adding call, and then others that differ from it in one argument: an upsert replaces what was added.
    async fn overwrite(&mut self, tool: usize, arguments: &Value) -> Result<(), TestBedError> {
        const ID: &str = "writes.additive";
        let Some(known) = self.tools.get(tool) else { return Ok(()) };
        let others = varied(&known.input, &known.fits, &self.known, arguments, &mut self.rng);
        for other in others.into_iter().take(VARIED) {
            let (first, second) =
                (self.call_of(tool, Caller::Alice, arguments, true), self.call_of(tool, Caller::Alice, &other, true));
            self.make(&first).await?;
            let before = self.test_bed.rows().await?;
            let done = self.make(&second).await?;
            self.check_swallowed(&second, &done);
            let after = self.test_bed.rows().await?;
            self.test_bed.restore().await?;
            self.findings.checked(ID);
            if let Some((table, row)) = lost(&before, &after).first() {
                let seen = format!(
                    "{} {} and then {}: a row of {table} was changed or deleted: {}",
                    first.tool,
                    shortened(&first.arguments),
                    shortened(&second.arguments),
                    shortened(&row.to_string())
                );
                self.findings.broken(ID, seen, self.reproduce.check(ID));
                return Ok(());
            }
        }
        Ok(())
    }
}
