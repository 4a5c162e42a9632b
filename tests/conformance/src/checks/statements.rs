//! Statements that fail: the tool must not report success.

use serde_json::json;

use crate::call::{Call, CallRecord, Failure, Outcome};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{DeniedStatements, Setup, TestBed, TestBedError};

/// The number of calls of each tool.
const CALLS: usize = 2;
/// The number of tables on which statements are made to fail.
const TABLES: usize = 16;

const ID: &str = "statements.failed";

/// A call with its outcome when every statement succeeds, and its outcome when the caller has no rows.
struct Baseline {
    tool: usize,
    call: Call,
    well: CallRecord,
    empty: CallRecord,
}

impl<G: TestBed> Suite<'_, G> {
    /// Makes statements fail and checks that the tool reports it.
    pub(crate) async fn failing_statements(&mut self) -> Result<(), TestBedError> {
        if !self.findings.wants(&[ID]) || self.setup.grants.get("database").is_none() {
            return Ok(());
        }
        let known = self.baselines().await?;
        if known.is_empty() {
            return Ok(());
        }
        let tables: Vec<_> = self.test_bed.rows().await?.into_keys().take(TABLES).collect();
        for table in tables {
            for denied in [DeniedStatements::All, DeniedStatements::Writes] {
                self.test_bed.deny(&table, denied).await?;
                for one in &known {
                    let seen = self.make(&one.call).await?;
                    self.check_failing(one, &seen, &format!("statements on {table} failed"));
                }
                self.test_bed.allow().await?;
            }
        }
        self.refused_writes(&known).await
    }

    async fn baselines(&mut self) -> Result<Vec<Baseline>, TestBedError> {
        let mut known = Vec::new();
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let well = self.make(&call).await?;
            // A call without statements has none that could fail.
            if well.result().is_some() && !well.statements.is_empty() {
                known.push(Baseline { tool, call, empty: well.clone(), well });
            }
        }
        self.test_bed.delete_rows(Caller::Alice).await?;
        for one in &mut known {
            self.measures.calls += 1;
            one.empty = self.test_bed.call(&one.call).await?;
        }
        self.test_bed.restore().await?;
        Ok(known)
    }

    /// Calls without the grant to write: the gate refuses the statements, and the transaction goes on.
    async fn refused_writes(&mut self, known: &[Baseline]) -> Result<(), TestBedError> {
        let mut setup: Setup = self.setup.clone();
        setup.grants["database"]["access"] = json!("read");
        if setup == self.setup || !self.test_bed.configure(&setup).await? {
            return Ok(());
        }
        for one in known {
            let seen = self.make(&one.call).await?;
            // Crashes are for `grants.missing`.
            if seen.failure() != Some(Failure::Trap) {
                self.check_failing(one, &seen, "writing was not granted");
            }
        }
        self.test_bed.configure(&self.setup).await?;
        Ok(())
    }

    fn check_failing(&mut self, known: &Baseline, seen: &CallRecord, what: &str) {
        if seen.statements.iter().all(|statement| statement.succeeded) {
            return;
        }
        self.findings.checked(ID);
        let read_only = self.tools.get(known.tool).is_some_and(|tool| tool.read_only);
        let fault = match &seen.outcome {
            Outcome::Failed(Failure::Trap | Failure::NotJson, _) => seen.summary(),
            Outcome::Failed(Failure::Commit, _) => "the tool reported success; the host refused to commit".to_owned(),
            // A tool that only reads did not need the statement for this result.
            Outcome::Result(result) if Some(result) == known.well.result() => {
                if read_only {
                    return;
                }
                format!("the tool answered as if all had gone well, with {}", seen.summary())
            }
            Outcome::Result(result) if Some(result) == known.empty.result() => {
                format!("the tool answered as if there were no rows, with {}", seen.summary())
            }
            _ => return,
        };
        let failed = seen.statements.iter().find(|statement| !statement.succeeded);
        let detail = failed.map(|statement| statement.detail.as_str()).unwrap_or_default();
        let name = &known.call.tool;
        let seen = format!("{name} {}: {what} ({detail}): {fault}", crate::call::shortened(&known.call.arguments));
        self.findings.broken(ID, seen, self.reproduce.check(ID));
    }
}
