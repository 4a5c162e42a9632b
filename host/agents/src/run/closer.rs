//! Stores how a run ended, or leaves it to another host.

use backon::Retryable;
use behalf_problem::LogText as _;
use behalf_telemetry::metric;
use serde_json::{Value, json};

use super::environment::RunEnvironment;
use super::error::RunError;
use super::event::{Complete, Event};
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
                metric::runs_ended(end.status, 1);
                tracing::info!(run.id = %run_id, run.status = end.status, "a run ended");
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
        let run_id = self.run.id().to_owned();
        let before = match &end.error {
            Some(error) if end.status == "failed" => {
                Some(Event::Error { run_id: run_id.clone(), error: error.clone(), message: error.clone() })
            }
            None => Some(Event::Chunk { content: end.content.clone() }),
            Some(_) => None,
        };
        let complete = Event::Complete(Box::new(Complete {
            run_id,
            session_id: self.run.session_id.clone(),
            context_handler_id: self.spec.handler,
            content: end.content.clone(),
            status: end.status,
            steps: end.steps.clone(),
            tool_calls: end.tool_calls.clone(),
            usage: end.usage.clone(),
            error: end.error.clone(),
            is_new_session: self.run.is_new_session,
            retrieved_items: end.retrieved_context.clone(),
            citations: end.citations.clone(),
            citation_candidates: end.citation_candidates.clone(),
        }));
        let events = before.into_iter().chain([complete]);
        (first_seq..).zip(events).map(|(seq, event)| event.to_json(seq, chrono::Utc::now())).collect()
    }

    fn run_end(&self, outcome: &RunOutcome, transcript: Transcript, model: String) -> RunEnd {
        let (status, error) = match outcome {
            RunOutcome::Completed => ("completed", None),
            RunOutcome::Cancelled => ("cancelled", Some("the run was cancelled".to_owned())),
            RunOutcome::Failed(error) => ("failed", Some(error.to_string())),
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
            model,
        }
    }
}
