//! Stores how a run ended, or leaves it to another host.

use backon::Retryable;
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use serde_json::{Value, json};

use super::ending::Ending;
use super::environment::RunEnvironment;
use super::error::RunError;
use super::leased_run::LeasedRun;
use super::records::usage_json;
use super::retry::doubling;
use super::spec::RunSpec;
use super::transcript::Transcript;
use crate::knowledge::{Quoted, cited};
use crate::store::RunEnd;
use crate::text::{storable, storable_text};

/// Attempts to store an end again, some six seconds in all. Afterwards the lease runs out, and another host resumes the run.
const RETRIES: usize = 6;

/// How a run ended.
#[derive(Debug)]
pub(crate) enum RunOutcome {
    /// The model answered.
    Completed,
    /// Somebody cancelled it.
    Cancelled,
    /// There is no answer.
    Failed(RunError),
}

/// Stores the end of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunCloser<'a> {
    /// What all runs share.
    pub(crate) environment: &'a RunEnvironment,
    /// The run.
    pub(crate) run: &'a LeasedRun,
    /// What it goes by.
    pub(crate) spec: &'a RunSpec,
}

impl RunCloser<'_> {
    /// Stores the run's end and its last events, which follow number `last_seq`, together. Returns the number of the last of
    /// them, none where the end is not stored.
    pub(crate) async fn close(
        &self,
        outcome: &RunOutcome,
        transcript: Transcript,
        model: String,
        last_seq: i64,
    ) -> Option<i64> {
        let mut end = self.run_end(outcome, transcript, model);
        self.add_cost(&mut end);
        let (first, events) = (last_seq + 1, self.last_events(&end, last_seq + 1));
        let run_id = self.run.id();
        let store = || self.environment.runs.close(&self.run.principal, &self.run.lease, &end, first, &events);
        let stored = store
            .retry(doubling(RETRIES))
            .notify(|error, _| {
                tracing::warn!(run.id = %run_id, error = error.log_text(), "cannot store a run's end; trying again");
            })
            .await;
        match stored {
            Ok(true) => {
                self.tell(&end);
                Some(last_seq + i64::try_from(events.len()).unwrap_or(i64::MAX))
            }
            Ok(false) => {
                tracing::info!(run.id = %run_id, "a run was over before its end could be stored");
                None
            }
            Err(error) => {
                tracing::warn!(run.id = %run_id, error = error.log_text(), "a run's end could not be stored; its lease runs out");
                None
            }
        }
    }

    /// The one line of a run, and its metrics. Of a run that another host began, the time is that on this one.
    fn tell(&self, end: &RunEnd) {
        let (duration, run_id, agent) = (self.run.began.elapsed(), self.run.id(), self.run.agent_id);
        metric::run_ended(end.status, duration);
        let many = |list: &Value| list.as_array().map_or(0, Vec::len);
        tracing::info!(
            target: "behalf::runs",
            {
                run.id = %run_id,
                agent.id = %agent,
                outcome = end.status,
                duration_ms = duration.as_secs_f64() * 1_000.0,
                steps = many(&end.steps),
                calls = many(&end.tool_calls)
            },
            "a run ended"
        );
    }

    /// Gives the lease up, so that another host need not wait for its end.
    pub(crate) async fn release(&self) {
        match self.environment.leases.release(&self.run.lease).await {
            Ok(()) => tracing::info!(run.id = %self.run.id(), "a run is left to another host"),
            Err(error) => {
                tracing::warn!(run.id = %self.run.id(), error = error.log_text(), "cannot give a lease up; it runs out");
            }
        }
    }

    /// Adds the run's cost to its usage, where things have a price.
    fn add_cost(&self, end: &mut RunEnd) {
        let cost = self.environment.accounting.run_cost(end.for_accounting(self.run.id(), self.run.agent_id));
        if let (Some(cost), Value::Object(usage)) = (cost, &mut end.usage) {
            usage.insert("cost".to_owned(), json!(cost));
        }
    }

    fn last_events(&self, end: &RunEnd, first_seq: i64) -> Vec<Value> {
        let LeasedRun { session_id, is_new_session, .. } = self.run;
        let ending =
            Ending { run_id: self.run.id(), session_id, handler: self.spec.handler, is_new_session: *is_new_session };
        ending.events(end, first_seq)
    }

    fn run_end(&self, outcome: &RunOutcome, transcript: Transcript, model: String) -> RunEnd {
        let (status, error) = match outcome {
            RunOutcome::Completed => ("completed", None),
            RunOutcome::Cancelled => ("cancelled", Some("the run was cancelled".to_owned())),
            RunOutcome::Failed(error) => ("failed", Some(error.to_string())),
        };
        let error_reason = match outcome {
            RunOutcome::Failed(error) => error.reason().map(storable_text),
            RunOutcome::Completed | RunOutcome::Cancelled => None,
        };
        let json = |value: Result<Value, serde_json::Error>| storable(value.unwrap_or_default());
        let passages: Vec<_> = self.spec.quoted.iter().chain(&transcript.quoted).cloned().collect();
        let citations = |of: Vec<&Quoted>| storable(of.into_iter().map(Quoted::citation).collect());
        RunEnd {
            status,
            citations: self.spec.cites.then(|| citations(cited(&transcript.content, &passages))),
            citation_candidates: self.spec.cites.then(|| citations(passages.iter().collect())),
            retrieved_context: storable(passages.iter().map(Quoted::shown).collect()),
            content: storable_text(transcript.content),
            output_messages: json(serde_json::to_value(&transcript.messages)),
            steps: json(serde_json::to_value(&transcript.steps)),
            tool_calls: json(serde_json::to_value(&transcript.tool_calls)),
            reasoning_steps: json(serde_json::to_value(&transcript.reasoning)),
            usage: usage_json(&transcript.usage),
            error,
            error_reason,
            warning: (!transcript.notes.is_empty()).then(|| storable_text(transcript.notes.join("\n"))),
            model,
        }
    }
}
