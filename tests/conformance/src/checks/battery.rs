use serde_json::Value;

use super::judge::Kind;
use crate::arguments::{fitting, hostile};
use crate::ground::{Call, Caller, Failure, Ground, GroundError, Outcome, Rows, Seen};
use crate::suite::Suite;

/// Arguments that other checks begin with.
const GOOD: usize = 4;
/// Arguments that other callers try.
const OTHERS: usize = 10;
/// A tool that lets so many calls end at their deadline is not called further: each costs seconds.
const DEADLINES: usize = 2;
/// Calls that are made again one by one to find the one that changed rows.
const SUSPECTS: usize = 60;

impl<G: Ground> Suite<'_, G> {
    /// Calls one tool with all kinds of arguments.
    pub(crate) async fn battery(&mut self, tool: usize) -> Result<(), GroundError> {
        let Some(known) = self.tools.get(tool) else { return Ok(()) };
        let (input, read_only) = (known.input.clone(), known.read_only);
        let mut arguments: Vec<Value> = Vec::new();
        arguments.extend(
            self.project.calls.iter().filter(|call| call.tool == known.name).map(|call| call.arguments.clone()),
        );
        let promised = arguments.len();
        for one in fitting(&input, &known.fits, self.calls, &mut self.rng) {
            if !arguments.contains(&one) {
                arguments.push(one);
            }
        }
        let before = self.ground.rows().await?;
        let mut made = Vec::new();
        let mut steady = Vec::new();
        for (place, one) in arguments.into_iter().enumerate() {
            let call = self.call_of(tool, Caller::Alice, &one, read_only);
            let seen = self.fitting_call(tool, &call, place < promised).await?;
            if self.is_good(tool, &seen) && self.good.get(tool).is_some_and(|good| good.len() < GOOD) {
                self.good.get_mut(tool).into_iter().for_each(|good| good.push(one.clone()));
            }
            if matches!(seen.outcome, Outcome::Result(_) | Outcome::Error { .. }) {
                steady.push(one);
            }
            made.push((call, seen));
            if timed_out(&made) {
                break;
            }
        }
        self.unchanged(tool, &before, &made).await?;
        self.other_callers(tool, &steady).await?;
        self.hostile_calls(tool, &input, &before).await
    }

    /// A result that breaks no promise by itself, so that other checks can begin with it.
    fn is_good(&self, tool: usize, seen: &Seen) -> bool {
        let schema = self.tools.get(tool).and_then(|tool| tool.output.as_ref());
        seen.result().is_some_and(|result| schema.is_none_or(|schema| schema.is_valid(result)))
    }

    async fn fitting_call(&mut self, tool: usize, call: &Call, promised: bool) -> Result<Seen, GroundError> {
        let seen = self.make(call).await?;
        self.judge(Some(tool), call, &seen, Kind::Fitting);
        self.measures.memory_bytes = self.measures.memory_bytes.max(seen.memory_bytes as u64);
        let micros = u64::try_from(seen.duration.as_micros()).unwrap_or(u64::MAX);
        self.measures.call_us = self.measures.call_us.max(micros);
        if promised {
            self.book.checked("calls.work");
            if matches!(seen.outcome, Outcome::Error { .. }) {
                self.breaks("calls.work", call, seen.summary());
            }
        }
        Ok(seen)
    }

    async fn other_callers(&mut self, tool: usize, steady: &[Value]) -> Result<(), GroundError> {
        let good = self.good.get(tool).cloned().unwrap_or_default();
        let others = steady.iter().filter(|one| !good.contains(one)).take(OTHERS.saturating_sub(good.len()));
        for arguments in good.iter().chain(others) {
            for caller in [Caller::Bob, Caller::Anon, Caller::Service] {
                let call = self.call_of(tool, caller, arguments, false);
                let seen = self.make(&call).await?;
                self.judge(Some(tool), &call, &seen, Kind::Caller);
            }
        }
        Ok(())
    }

    async fn hostile_calls(&mut self, tool: usize, input: &Value, before: &Rows) -> Result<(), GroundError> {
        let Some(known) = self.tools.get(tool) else { return Ok(()) };
        let good = self.good.get(tool).and_then(|good| good.first()).cloned().unwrap_or_default();
        let read_only = known.read_only;
        let all = hostile(input, &known.fits, &good, self.calls, &mut self.rng);
        let mut made = Vec::new();
        for one in all {
            let call = self.call_of(tool, Caller::Alice, &one.text, read_only);
            let seen = self.make(&call).await?;
            self.judge(Some(tool), &call, &seen, Kind::Hostile { must_be_refused: one.must_be_refused });
            made.push((call, seen));
            if timed_out(&made) {
                break;
            }
        }
        self.unchanged(tool, before, &made).await
    }

    /// Whether calls that must not change rows did.
    async fn unchanged(&mut self, tool: usize, before: &Rows, made: &[(Call, Seen)]) -> Result<(), GroundError> {
        let read_only = self.tools.get(tool).is_some_and(|tool| tool.read_only);
        let failed = |seen: &Seen| matches!(seen.outcome, Outcome::Error { .. });
        for (_, seen) in made {
            if read_only {
                self.book.checked("writes.read_only");
            } else if failed(seen) {
                self.book.checked("errors.clean");
            }
        }
        if self.ground.rows().await? == *before {
            return Ok(());
        }
        self.ground.restore().await?;
        // Those that failed first: where any call commits in between, all the others would hide them.
        let suspects =
            made.iter().filter(|(_, seen)| failed(seen)).chain(made.iter().filter(|(_, seen)| !failed(seen)));
        for (call, _) in suspects.take(SUSPECTS) {
            let seen = self.ground.call(call).await?;
            if self.ground.rows().await? == *before {
                continue;
            }
            self.ground.restore().await?;
            if !read_only {
                self.committing.insert(call.tool.clone());
            }
            if read_only {
                self.breaks("writes.read_only", call, format!("rows changed, with {}", seen.summary()));
            } else if failed(&seen) {
                self.breaks("errors.clean", call, format!("rows changed, with {}", seen.summary()));
            } else {
                continue;
            }
            return Ok(());
        }
        if read_only {
            let again = self.reproduce.check("writes.read_only");
            let name = self.name(tool).to_owned();
            self.book.broken("writes.read_only", format!("calls of {name} changed rows, none of them alone"), again);
        }
        Ok(())
    }

    /// Calls what is not there.
    pub(crate) async fn unknown_tools(&mut self) -> Result<(), GroundError> {
        for name in ["behalf_no_such_tool", "", "../definitions", "definitions"] {
            if self.tools.iter().any(|tool| tool.name == name) {
                continue;
            }
            let call = Call { caller: Caller::Alice, tool: name.to_owned(), arguments: "{}".to_owned(), keep: false };
            let seen = self.make(&call).await?;
            self.judge(None, &call, &seen, Kind::Unknown);
        }
        for promised in &self.project.calls {
            if !self.tools.iter().any(|tool| tool.name == promised.tool) {
                let seen = format!("plugin.toml lists a call of {:?}, which the plugin does not have", promised.tool);
                self.book.broken("calls.work", seen, self.reproduce.inspect());
            }
        }
        Ok(())
    }
}

fn timed_out(made: &[(Call, Seen)]) -> bool {
    made.iter().filter(|(_, seen)| seen.failure() == Some(Failure::Deadline)).count() >= DEADLINES
}
