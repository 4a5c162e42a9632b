//! Isolation: no caller is shown, or changes, anything of another user.

use serde_json::{Value, json};

use super::each_call::all_text;
use super::rows::{belongs_to, lost};
use crate::call::{Call, CallRecord, shortened};
use crate::caller::Caller;
use crate::leaves::{leaves, with};
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 3;
/// The mark in alice's arguments.
const MARKED: &str = "mark_alice_argument";
/// The numbers that mark alice's arguments: one of them fits most schemas.
const MARKED_NUMBERS: [&str; 4] = ["7319571", "731957.25", "73.195713", "0.731957"];

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
                if !self.has_foreign_mark(&call, &first) {
                    before.push((call, first, second));
                }
            }
            self.test_bed.delete_rows(other).await?;
            let mut differ = Vec::new();
            for (call, first, second) in before {
                let (after, again) = (self.make(&call).await?, self.make(&call).await?);
                self.findings.checked("isolation.interference");
                if let Some(what) = difference([&first, &second], [&after, &again]) {
                    differ.push((call, first, what));
                }
            }
            self.test_bed.restore().await?;
            for (call, first, what) in differ {
                // The answer may have changed with the time. It depends on the rows if it is the first one again with them.
                let again = self.make(&call).await?;
                if same(&first, &again) {
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
            if !self.has_foreign_mark(&call, &seen) {
                clean.push(call);
            }
        }
        for (tool, arguments) in &good {
            let before = self.test_bed.rows().await?;
            for one in [arguments.clone(), self.marked(*tool, arguments)] {
                let call = self.call_of(*tool, Caller::Alice, &one, true);
                let seen = self.make(&call).await?;
                self.check_swallowed(&call, &seen);
                self.untouched(&call, &before).await?;
            }
        }
        for call in clean {
            let seen = self.make(&call).await?;
            self.findings.checked("isolation.shared");
            let mark = |text: &String| self.foreign_mark(&call, text).or_else(|| marked_number(&call, text));
            if let Some(text) = all_text(&seen).iter().find_map(mark) {
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

    /// The arguments with alice's mark in every text and every number that may be it, at every depth.
    fn marked(&self, tool: usize, arguments: &Value) -> Value {
        let mut marked = arguments.clone();
        let Some(tool) = self.tools.get(tool) else { return marked };
        for (place, value) in leaves(arguments) {
            let marks: Vec<Value> = match value {
                Value::String(_) => vec![json!(MARKED)],
                Value::Number(_) => MARKED_NUMBERS.iter().filter_map(|number| number.parse().ok()).collect(),
                _ => Vec::new(),
            };
            let mut changed = marks.iter().filter_map(|mark| with(&marked, &place, Some(mark)));
            let fitting = changed.find(|one| tool.fits.fits(one));
            marked = fitting.unwrap_or(marked);
        }
        marked
    }
}

/// One of the numbers of alice's arguments in a text, if the caller did not send it.
fn marked_number(call: &Call, text: &str) -> Option<String> {
    let words: Vec<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).collect();
    let mut found = MARKED_NUMBERS.iter().filter(|number| words.contains(number) && !call.arguments.contains(**number));
    found.next().map(|number| format!("{number}, which is alice's"))
}

fn same(a: &CallRecord, b: &CallRecord) -> bool {
    a.outcome == b.outcome && a.log == b.log && a.progress == b.progress
}

/// What two calls have in common, and two calls after them have in common too, but otherwise. What varies is not compared.
fn difference(before: [&CallRecord; 2], after: [&CallRecord; 2]) -> Option<String> {
    let ([first, second], [third, fourth]) = (before, after);
    if first.outcome == second.outcome && third.outcome == fourth.outcome && third.outcome != first.outcome {
        return Some(format!("it gives {} instead of {}", third.summary(), first.summary()));
    }
    if first.log == second.log && third.log == fourth.log && third.log != first.log {
        return Some("it logs something else".to_owned());
    }
    let is_steady = first.progress == second.progress && third.progress == fourth.progress;
    (is_steady && third.progress != first.progress).then(|| "it reports other progress".to_owned())
}
