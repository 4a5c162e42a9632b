use serde_json::json;

use crate::ground::{Call, Caller, Failure, Ground, GroundError, Outcome, Seen, Setup, Verbs};
use crate::suite::Suite;

/// Calls of each tool.
const CALLS: usize = 2;
/// Tables that are taken away.
const TABLES: usize = 16;

const ID: &str = "statements.failed";

/// A call, its result when all is well, and the one when the caller has no rows.
struct Known {
    tool: usize,
    call: Call,
    well: Seen,
    empty: Seen,
}

impl<G: Ground> Suite<'_, G> {
    /// Lets statements fail and looks whether anybody notices.
    pub(crate) async fn failing_statements(&mut self) -> Result<(), GroundError> {
        if !self.book.wants(&[ID]) || self.setup.grants.get("database").is_none() {
            return Ok(());
        }
        let known = self.known().await?;
        if known.is_empty() {
            return Ok(());
        }
        let tables: Vec<_> = self.ground.rows().await?.into_keys().take(TABLES).collect();
        for table in tables {
            for verbs in [Verbs::All, Verbs::Writes] {
                self.ground.deny(&table, verbs).await?;
                for one in &known {
                    let seen = self.make(&one.call).await?;
                    self.judge_failing(one, &seen, &format!("statements on {table} failed"));
                }
                self.ground.allow().await?;
            }
        }
        self.refused_writes(&known).await
    }

    async fn known(&mut self) -> Result<Vec<Known>, GroundError> {
        let mut known = Vec::new();
        for (tool, arguments) in self.some_good(CALLS) {
            let call = self.call_of(tool, Caller::Alice, &arguments, false);
            let well = self.make(&call).await?;
            // What asks the database nothing has nothing that could fail.
            if well.result().is_some() && !well.statements.is_empty() {
                known.push(Known { tool, call, empty: well.clone(), well });
            }
        }
        self.ground.forget(Caller::Alice).await?;
        for one in &mut known {
            self.measures.calls += 1;
            one.empty = self.ground.call(&one.call).await?;
        }
        self.ground.restore().await?;
        Ok(known)
    }

    /// The gate refuses what was not granted, and the transaction goes on.
    async fn refused_writes(&mut self, known: &[Known]) -> Result<(), GroundError> {
        let mut setup: Setup = self.setup.clone();
        setup.grants["database"]["access"] = json!("read");
        if setup == self.setup || !self.ground.configure(&setup).await? {
            return Ok(());
        }
        for one in known {
            let seen = self.make(&one.call).await?;
            // Crashes are for `grants.missing`.
            if seen.failure() != Some(Failure::Trap) {
                self.judge_failing(one, &seen, "writing was not granted");
            }
        }
        self.ground.configure(&self.setup).await?;
        Ok(())
    }

    fn judge_failing(&mut self, known: &Known, seen: &Seen, what: &str) {
        if seen.statements.iter().all(|statement| statement.succeeded) {
            return;
        }
        self.book.checked(ID);
        let read_only = self.tools.get(known.tool).is_some_and(|tool| tool.read_only);
        let fault = match &seen.outcome {
            Outcome::Failed(Failure::Trap | Failure::NotJson, _) => seen.summary(),
            Outcome::Failed(Failure::Commit, _) => "the tool reported success; the host refused to commit".to_owned(),
            // Of a reader, this result did not need the statement.
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
        let seen = format!("{name} {}: {what} ({detail}): {fault}", crate::ground::shortened(&known.call.arguments));
        self.book.broken(ID, seen, self.reproduce.check(ID));
    }
}
