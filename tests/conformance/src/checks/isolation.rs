//! Isolation: no caller is shown, or changes, anything of another user.

use serde_json::{Value, json};

use super::each_call::{foreign_mark, has_foreign_mark};
use super::rows::{belongs_to, lost};
use crate::call::{Call, CallRecord, Outcome, shortened};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 3;
/// The mark in alice's arguments.
const MARKED: &str = "mark_alice_argument";

impl<G: TestBed> Suite<'_, G> {
    /// Compares what one user is told before and after the other user's rows are deleted.
    pub(crate) async fn interference(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&["isolation.interference"]) {
            return Ok(());
        }
        for (caller, other) in [(Caller::Alice, Caller::Bob), (Caller::Bob, Caller::Alice)] {
            let mut before = Vec::new();
            for (tool, arguments) in self.some_good(CALLS) {
                let call = self.call_of(tool, caller, &arguments, false);
                let (first, second) = (self.make(&call).await?, self.make(&call).await?);
                // Other promises are about marks of the other user.
                if !has_foreign_mark(&call, &first) {
                    before.push((call, first, second));
                }
            }
            self.test_bed.delete_rows(other).await?;
            let mut differ = Vec::new();
            for (call, first, second) in before {
                let after = self.make(&call).await?;
                self.findings.checked("isolation.interference");
                if let Some(what) = difference(&first, &second, &after) {
                    differ.push((call, first, what));
                }
            }
            self.test_bed.restore().await?;
            for (call, first, what) in differ {
                // The answer may have changed with the time. It depends on the rows if it is the first one again with them.
                let again = self.make(&call).await?;
                if difference(&first, &again, &first).is_none() && same(&first, &again) {
                    let id = "isolation.interference";
                    let seen = format!(
                        "{} {} as {}: without {}'s rows {what}",
                        call.tool,
                        shortened(&call.arguments),
                        caller.name(),
                        other.name()
                    );
                    self.findings.broken(id, seen, self.reproduce.check(id));
                }
            }
        }
        Ok(())
    }

    /// Commits alice's calls: they change no row of bob's, and bob is shown nothing of hers afterwards.
    pub(crate) async fn kept_writes(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&["isolation.shared", "isolation.rows"]) {
            return Ok(());
        }
        let good = self.some_good(CALLS);
        let mut clean = Vec::new();
        for (tool, arguments) in &good {
            let call = self.call_of(*tool, Caller::Bob, arguments, false);
            let seen = self.make(&call).await?;
            if !has_foreign_mark(&call, &seen) {
                clean.push(call);
            }
        }
        for (tool, arguments) in &good {
            let before = self.test_bed.rows().await?;
            for one in [arguments.clone(), self.marked(*tool, arguments)] {
                let call = self.call_of(*tool, Caller::Alice, &one, true);
                self.make(&call).await?;
                self.untouched(&call, &before).await?;
            }
        }
        for call in clean {
            let seen = self.make(&call).await?;
            self.findings.checked("isolation.shared");
            if let Some(text) = all_text(&seen).iter().find_map(|text| foreign_mark(&call, text)) {
                let id = "isolation.shared";
                let seen = format!("{} as bob, after alice's calls: {text}", call.tool);
                self.findings.broken(id, seen, self.reproduce.check(id));
            }
        }
        self.test_bed.restore().await
    }

    async fn untouched(&mut self, call: &Call, before: &crate::test_bed::Rows) -> Result<(), TestBedError> {
        let after = self.test_bed.rows().await?;
        self.findings.checked("isolation.rows");
        for (table, row) in lost(before, &after) {
            if belongs_to(&row, Caller::Bob) {
                let seen = format!("a row of bob's in {table} was changed or deleted: {}", shortened(&row.to_string()));
                self.breaks("isolation.rows", call, seen);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The arguments with alice's mark in every text property that may contain it.
    fn marked(&self, tool: usize, arguments: &Value) -> Value {
        let mut marked = arguments.clone();
        let Some(tool) = self.tools.get(tool) else { return marked };
        let names: Vec<_> = arguments.as_object().into_iter().flat_map(serde_json::Map::keys).cloned().collect();
        for name in names.iter().filter(|name| arguments[*name].is_string()) {
            let mut one = marked.clone();
            one[name] = json!(MARKED);
            if tool.fits.fits(&one) {
                marked = one;
            }
        }
        marked
    }
}

fn all_text(seen: &CallRecord) -> Vec<String> {
    let said = match &seen.outcome {
        Outcome::Result(value) => value.to_string(),
        Outcome::Error { message, .. } | Outcome::Failed(_, message) => message.clone(),
    };
    std::iter::once(said).chain(seen.log.iter().cloned()).chain(seen.progress.iter().cloned()).collect()
}

fn same(a: &CallRecord, b: &CallRecord) -> bool {
    a.outcome == b.outcome && a.log == b.log && a.progress == b.progress
}

/// What the first two calls have in common and the third has not.
fn difference(first: &CallRecord, second: &CallRecord, after: &CallRecord) -> Option<String> {
    if first.outcome == second.outcome && after.outcome != first.outcome {
        return Some(format!("it gives {} instead of {}", after.summary(), first.summary()));
    }
    if first.log == second.log && after.log != first.log {
        return Some("it logs something else".to_owned());
    }
    (first.progress == second.progress && after.progress != first.progress)
        .then(|| "it reports other progress".to_owned())
}
