//! Calls of a tool with all kinds of arguments, and by every kind of caller.

use serde_json::Value;

use super::each_call::CallKind;
use crate::arguments::{fitting, hostile};
use crate::call::{Call, CallRecord, Failure, Outcome, Statement};
use crate::caller::Caller;
use crate::suite::Suite;
use crate::test_bed::{Rows, TestBed, TestBedError};

/// The number of good arguments of a tool that are kept for other checks.
const GOOD: usize = 4;
/// The number of arguments that the other callers use.
const OTHERS: usize = 10;
/// After this many calls that reached their deadline a tool is not called further: each takes seconds.
const DEADLINES: usize = 2;
/// The number of calls that are made again one by one to find the one that changed rows.
const SUSPECTS: usize = 400;

impl<G: TestBed> Suite<'_, G> {
    /// Calls one tool with arguments that fit its schema, as every caller, and with arguments that do not fit.
    pub(crate) async fn argument_cases(&mut self, tool: usize) -> Result<(), TestBedError> {
        let Some(known) = self.tools.get(tool) else { return Ok(()) };
        let (input, read_only) = (known.input.clone(), known.read_only);
        let mut arguments: Vec<Value> = Vec::new();
        arguments.extend(
            self.project.calls.iter().filter(|call| call.tool == known.name).map(|call| call.arguments.clone()),
        );
        let promised = arguments.len();
        for one in fitting(&input, &known.fits, &self.known, self.calls, &mut self.rng) {
            if !arguments.contains(&one) {
                arguments.push(one);
            }
        }
        let before = self.test_bed.rows().await?;
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
        self.succeeds(tool, &made);
        self.unchanged(tool, &before, &made).await?;
        self.other_callers(tool, &steady).await?;
        self.hostile_calls(tool, &input, &before).await
    }

    /// Checks that not every call was answered with an error. Calls that ended otherwise break another promise.
    fn succeeds(&mut self, tool: usize, made: &[(Call, CallRecord)]) {
        const ID: &str = "calls.succeed";
        self.findings.checked(ID);
        let Some((call, first)) = made.first() else {
            let seen = format!("no arguments for {} could be made from its schema", self.name(tool));
            return self.findings.broken(ID, seen, self.reproduce.check(ID));
        };
        if made.iter().any(|(_, seen)| !matches!(seen.outcome, Outcome::Error { .. })) {
            return;
        }
        let unsent = made.iter().flat_map(|(_, seen)| &seen.requests).find(|request| !request.succeeded);
        let why = unsent.map(|request| format!("; a request got no answer: {}", request.detail)).unwrap_or_default();
        let seen = format!("each of {} calls failed, the first with {}{why}", made.len(), first.summary());
        self.breaks(ID, call, seen);
    }

    /// Whether the call gave a valid result, so that other checks can use its arguments.
    fn is_good(&self, tool: usize, seen: &CallRecord) -> bool {
        let schema = self.tools.get(tool).and_then(|tool| tool.output.as_ref());
        seen.result().is_some_and(|result| schema.is_none_or(|schema| schema.fits(result)))
    }

    async fn fitting_call(&mut self, tool: usize, call: &Call, promised: bool) -> Result<CallRecord, TestBedError> {
        let seen = self.make(call).await?;
        self.check_call(Some(tool), call, &seen, CallKind::Fitting);
        self.measures.memory_bytes = self.measures.memory_bytes.max(seen.memory_bytes as u64);
        let micros = u64::try_from(seen.duration.as_micros()).unwrap_or(u64::MAX);
        self.measures.call_us = self.measures.call_us.max(micros);
        if promised {
            self.findings.checked("calls.work");
            if matches!(seen.outcome, Outcome::Error { .. }) {
                self.breaks("calls.work", call, seen.summary());
            }
        }
        Ok(seen)
    }

    async fn other_callers(&mut self, tool: usize, steady: &[Value]) -> Result<(), TestBedError> {
        let good = self.good.get(tool).cloned().unwrap_or_default();
        let others = steady.iter().filter(|one| !good.contains(one)).take(OTHERS.saturating_sub(good.len()));
        for arguments in good.iter().chain(others) {
            for caller in [Caller::Bob, Caller::Anon, Caller::Service] {
                let call = self.call_of(tool, caller, arguments, false);
                let seen = self.make(&call).await?;
                self.check_call(Some(tool), &call, &seen, CallKind::Caller);
            }
        }
        Ok(())
    }

    async fn hostile_calls(&mut self, tool: usize, input: &Value, before: &Rows) -> Result<(), TestBedError> {
        let Some(known) = self.tools.get(tool) else { return Ok(()) };
        let good = self.good.get(tool).and_then(|good| good.first()).cloned().unwrap_or_default();
        let read_only = known.read_only;
        let all = hostile(input, &known.fits, &good, self.calls, &mut self.rng);
        let mut made = Vec::new();
        for one in all {
            let call = self.call_of(tool, Caller::Alice, &one.text, read_only);
            let seen = self.make(&call).await?;
            self.check_call(Some(tool), &call, &seen, CallKind::Hostile { must_be_refused: one.must_be_refused });
            made.push((call, seen));
            if timed_out(&made) {
                break;
            }
        }
        self.unchanged(tool, before, &made).await
    }

    /// Checks that calls which must not change rows did not change any.
    async fn unchanged(&mut self, tool: usize, before: &Rows, made: &[(Call, CallRecord)]) -> Result<(), TestBedError> {
        let read_only = self.tools.get(tool).is_some_and(|tool| tool.read_only);
        let failed = |seen: &CallRecord| matches!(seen.outcome, Outcome::Error { .. });
        for (_, seen) in made {
            if read_only {
                self.findings.checked("writes.read_only");
            } else if failed(seen) {
                self.findings.checked("errors.clean");
            }
        }
        // The host refuses the write, and the tool may go on as if there had been none.
        let tried = |seen: &CallRecord| seen.statements.iter().any(Statement::is_refused_write);
        if let Some((call, seen)) = made.iter().find(|(_, seen)| read_only && tried(seen)) {
            self.breaks("writes.read_only", call, format!("it tried to write, with {}", seen.summary()));
        }
        if self.test_bed.rows().await? == *before {
            return Ok(());
        }
        self.test_bed.restore().await?;
        // Calls that failed come first: a call that may write would hide what they changed.
        let suspects =
            made.iter().filter(|(_, seen)| failed(seen)).chain(made.iter().filter(|(_, seen)| !failed(seen)));
        for (call, _) in suspects.take(SUSPECTS) {
            let seen = self.test_bed.call(call).await?;
            if self.test_bed.rows().await? == *before {
                continue;
            }
            self.test_bed.restore().await?;
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
            self.findings.broken(
                "writes.read_only",
                format!("calls of {name} changed rows, none of them alone"),
                again,
            );
        }
        Ok(())
    }

    /// Calls tools that the plugin does not have.
    pub(crate) async fn unknown_tools(&mut self) -> Result<(), TestBedError> {
        for name in ["behalf_no_such_tool", "", "../definitions", "definitions"] {
            if self.tools.iter().any(|tool| tool.name == name) {
                continue;
            }
            let call = Call { caller: Caller::Alice, tool: name.to_owned(), arguments: "{}".to_owned(), keep: false };
            let seen = self.make(&call).await?;
            self.check_call(None, &call, &seen, CallKind::Unknown);
        }
        for promised in &self.project.calls {
            if !self.tools.iter().any(|tool| tool.name == promised.tool) {
                let seen = format!("plugin.toml lists a call of {:?}, which the plugin does not have", promised.tool);
                self.findings.broken("calls.work", seen, self.reproduce.inspect());
            }
        }
        Ok(())
    }
}

fn timed_out(made: &[(Call, CallRecord)]) -> bool {
    made.iter().filter(|(_, seen)| seen.failure() == Some(Failure::Deadline)).count() >= DEADLINES
}
