//! How a run ends that no host may resume any more: with what it did, as its journal has it.

use serde_json::{Value, json};

use super::ending::Ending;
use super::records::{CallRecord, CallStatus, WrittenEntry, usage_json};
use super::transcript::Transcript;
use crate::store::{AbandonedRun, RunEnd};
use crate::text::{storable, storable_text};

/// The error of a run whose hosts died too often.
const HOST_STOPPED: &str = "the host stopped during this run";
/// What is known of a call that was begun and did not end.
const UNKNOWN: &str = "the host stopped while this call ran, and nobody knows whether it took effect";

/// The end of such a run, and the events that tell of it.
pub(super) fn end_abandoned(run: &AbandonedRun) -> (RunEnd, Vec<Value>) {
    let entries = run.journal.0.iter().cloned().map(serde_json::from_value::<WrittenEntry>);
    // A journal that cannot be read is left out: the run is to end all the same.
    let entries: Vec<_> = entries.collect::<Result<_, _>>().unwrap_or_default();
    let mut transcript = Transcript::restore(entries.into_iter().map(|written| written.entry));
    let lost = lost_calls(&transcript);
    transcript.tool_calls.extend(lost);
    let json = |value: Result<Value, serde_json::Error>| storable(value.unwrap_or_default());
    let end = RunEnd {
        status: "failed",
        output_messages: json(serde_json::to_value(&transcript.messages)),
        steps: json(serde_json::to_value(&transcript.steps)),
        tool_calls: json(serde_json::to_value(&transcript.tool_calls)),
        reasoning_steps: json(serde_json::to_value(&transcript.reasoning)),
        usage: usage_json(&transcript.usage),
        retrieved_context: run.retrieved_context.clone(),
        citations: run.citation_candidates.as_ref().map(|_| json!([])),
        citation_candidates: run.citation_candidates.clone(),
        error: Some(HOST_STOPPED.to_owned()),
        error_reason: None,
        warning: None,
        model: transcript.fallback.unwrap_or_else(|| run.model.clone().unwrap_or_default()),
        content: storable_text(transcript.content),
    };
    let ending = Ending {
        run_id: &run.lease.run_id,
        session_id: &run.session_id,
        handler: run.context_handler_id,
        is_new_session: run.is_new_session,
    };
    let events = ending.events(&end, run.last_seq + 1);
    (end, events)
}

/// The calls that were begun and have no result.
fn lost_calls(transcript: &Transcript) -> Vec<CallRecord> {
    let Some(open) = transcript.open_turn() else { return Vec::new() };
    let begun = |id: &str| transcript.begun.iter().any(|(step, call)| *step == open.step && call == id);
    let calls = open.calls.into_iter().filter(|call| begun(&call.id));
    calls
        .map(|call| CallRecord {
            step: open.step,
            call_id: call.id,
            tool_name: call.name,
            arguments: call.arguments,
            result: UNKNOWN.to_owned(),
            status: CallStatus::Unknown,
            duration_ms: 0.0,
        })
        .collect()
}
