//! Arguments that become part of a statement's text: a character that means something in SQL then makes the statement no SQL.

use serde_json::{Value, json};

use crate::arguments::text_places;
use crate::call::{Call, CallRecord, Statement};
use crate::caller::Caller;
use crate::leaves::with;
use crate::suite::Suite;
use crate::test_bed::{TestBed, TestBedError};

/// The number of calls of each tool that are varied.
const CALLS: usize = 2;
/// The number of texts of a call that are varied.
const TEXTS: usize = 12;
/// A text that means nothing in SQL but a name.
const HARMLESS: &str = "a";
/// Texts that end a literal, a name in quotes, a list, and a statement.
const MEANING: [&str; 4] = ["a'", "a\"", "a)", "a'a"];

const ID: &str = "statements.parameters";

impl<G: TestBed> Suite<'_, G> {
    /// Sends characters that mean something in SQL in each text of an argument.
    pub(crate) async fn arguments_in_sql(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) || self.setup.grants.get("database").is_none() {
            return Ok(());
        }
        for (tool, arguments) in self.some_good(CALLS) {
            let Some(input) = self.tools.get(tool).map(|tool| tool.input.clone()) else { continue };
            for place in text_places(&input, &arguments).into_iter().take(TEXTS) {
                if self.argument_in_sql(tool, &arguments, &place).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether this argument of the tool becomes part of a statement.
    async fn argument_in_sql(&mut self, tool: usize, arguments: &Value, place: &str) -> Result<bool, TestBedError> {
        let Some((_, harmless)) = self.call_with_text(tool, arguments, place, HARMLESS).await? else {
            return Ok(false);
        };
        // An argument that is SQL by its meaning is none with a harmless text.
        let is_sql = |statement: &Statement| statement.is_no_sql() || statement.is_refused_in_form();
        if harmless.statements.is_empty() || harmless.statements.iter().any(is_sql) {
            return Ok(false);
        }
        self.findings.checked(ID);
        for text in MEANING {
            let Some((call, seen)) = self.call_with_text(tool, arguments, place, text).await? else { continue };
            if let Some(failed) = seen.statements.iter().find(|statement| statement.is_no_sql()) {
                let name = place.trim_start_matches('/');
                let seen = format!("{text:?} as {name} made a statement that is no SQL ({})", failed.detail);
                self.breaks(ID, &call, seen);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Makes the call with another text, if the schema allows it.
    async fn call_with_text(
        &mut self,
        tool: usize,
        arguments: &Value,
        place: &str,
        text: &str,
    ) -> Result<Option<(Call, CallRecord)>, TestBedError> {
        let fits = |changed: &Value| self.tools.get(tool).is_some_and(|tool| tool.fits.fits(changed));
        let Some(changed) = with(arguments, place, Some(&json!(text))).filter(fits) else { return Ok(None) };
        let call = self.call_of(tool, Caller::Alice, &changed, false);
        let seen = self.make(&call).await?;
        Ok(Some((call, seen)))
    }
}
