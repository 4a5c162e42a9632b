use serde_json::{Value, json};

use super::judge::{foreign, is_foreign};
use super::rows::{belongs_to, lost};
use crate::ground::{Call, Caller, Ground, GroundError, Outcome, Seen, shortened};
use crate::suite::Suite;

/// Calls of each tool.
const CALLS: usize = 3;
/// What alice's arguments are marked with.
const MARKED: &str = "mark_alice_argument";

impl<G: Ground> Suite<'_, G> {
    /// What one is told does not change with the rows of the other.
    pub(crate) async fn interference(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&["isolation.interference"]) {
            return Ok(());
        }
        for (caller, other) in [(Caller::Alice, Caller::Bob), (Caller::Bob, Caller::Alice)] {
            let mut before = Vec::new();
            for (tool, arguments) in self.some_good(CALLS) {
                let call = self.call_of(tool, caller, &arguments, false);
                let (first, second) = (self.make(&call).await?, self.make(&call).await?);
                // Marks of the other are for the other promises.
                if !is_foreign(&call, &first) {
                    before.push((call, first, second));
                }
            }
            self.ground.forget(other).await?;
            let mut differ = Vec::new();
            for (call, first, second) in before {
                let after = self.make(&call).await?;
                self.book.checked("isolation.interference");
                if let Some(what) = difference(&first, &second, &after) {
                    differ.push((call, first, what));
                }
            }
            self.ground.restore().await?;
            for (call, first, what) in differ {
                // Time may have passed a second in between; what comes back with the rows is theirs.
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
                    self.book.broken(id, seen, self.reproduce.check(id));
                }
            }
        }
        Ok(())
    }

    /// What is kept of alice's calls: nothing of bob's is touched, and nothing of hers comes out for bob.
    pub(crate) async fn kept_writes(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&["isolation.shared", "isolation.rows"]) {
            return Ok(());
        }
        let good = self.some_good(CALLS);
        let mut clean = Vec::new();
        for (tool, arguments) in &good {
            let call = self.call_of(*tool, Caller::Bob, arguments, false);
            let seen = self.make(&call).await?;
            if !is_foreign(&call, &seen) {
                clean.push(call);
            }
        }
        for (tool, arguments) in &good {
            let before = self.ground.rows().await?;
            for one in [arguments.clone(), self.marked(*tool, arguments)] {
                let call = self.call_of(*tool, Caller::Alice, &one, true);
                self.make(&call).await?;
                self.untouched(&call, &before).await?;
            }
        }
        for call in clean {
            let seen = self.make(&call).await?;
            self.book.checked("isolation.shared");
            if let Some(text) = all_text(&seen).iter().find_map(|text| foreign(&call, text)) {
                let id = "isolation.shared";
                let seen = format!("{} as bob, after alice's calls: {text}", call.tool);
                self.book.broken(id, seen, self.reproduce.check(id));
            }
        }
        self.ground.restore().await
    }

    async fn untouched(&mut self, call: &Call, before: &crate::ground::Rows) -> Result<(), GroundError> {
        let after = self.ground.rows().await?;
        self.book.checked("isolation.rows");
        for (table, row) in lost(before, &after) {
            if belongs_to(&row, Caller::Bob) {
                let seen = format!("a row of bob's in {table} was changed or deleted: {}", shortened(&row.to_string()));
                self.breaks("isolation.rows", call, seen);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The arguments with a mark of alice's in every text that may be one.
    fn marked(&self, tool: usize, arguments: &Value) -> Value {
        let mut marked = arguments.clone();
        let Some(tool) = self.tools.get(tool) else { return marked };
        let names: Vec<_> = arguments.as_object().into_iter().flat_map(serde_json::Map::keys).cloned().collect();
        for name in names.iter().filter(|name| arguments[*name].is_string()) {
            let mut one = marked.clone();
            one[name] = json!(MARKED);
            if tool.fits.is_valid(&one) {
                marked = one;
            }
        }
        marked
    }
}

fn all_text(seen: &Seen) -> Vec<String> {
    let said = match &seen.outcome {
        Outcome::Result(value) => value.to_string(),
        Outcome::Error { message, .. } | Outcome::Failed(_, message) => message.clone(),
    };
    std::iter::once(said).chain(seen.log.iter().cloned()).chain(seen.progress.iter().cloned()).collect()
}

fn same(a: &Seen, b: &Seen) -> bool {
    a.outcome == b.outcome && a.log == b.log && a.progress == b.progress
}

/// What two calls agree on and the third does not.
fn difference(first: &Seen, second: &Seen, after: &Seen) -> Option<String> {
    if first.outcome == second.outcome && after.outcome != first.outcome {
        return Some(format!("it gives {} instead of {}", after.summary(), first.summary()));
    }
    if first.log == second.log && after.log != first.log {
        return Some("it logs something else".to_owned());
    }
    (first.progress == second.progress && after.progress != first.progress)
        .then(|| "it reports other progress".to_owned())
}
