//! The events that end a run, whoever ends it.

use serde_json::Value;
use uuid::Uuid;

use super::event::{Complete, Event};
use crate::store::RunEnd;

/// The run that ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending<'a> {
    /// Its id.
    pub(super) run_id: &'a str,
    /// Its session.
    pub(super) session_id: &'a str,
    /// The search that was made before the model was asked.
    pub(super) handler: Option<Uuid>,
    /// Whether the session began with it.
    pub(super) is_new_session: bool,
}

impl Ending<'_> {
    /// Its last events, numbered from `first_seq` on.
    pub(super) fn events(&self, end: &RunEnd, first_seq: i64) -> Vec<Value> {
        let run_id = self.run_id.to_owned();
        let before = match &end.error {
            Some(error) if end.status == "failed" => {
                Some(Event::Error { run_id: run_id.clone(), error: error.clone(), message: error.clone() })
            }
            None => Some(Event::Chunk { content: end.content.clone() }),
            Some(_) => None,
        };
        let complete = Event::Complete(Box::new(Complete {
            run_id,
            session_id: self.session_id.to_owned(),
            context_handler_id: self.handler,
            content: end.content.clone(),
            status: end.status,
            steps: end.steps.clone(),
            tool_calls: end.tool_calls.clone(),
            usage: end.usage.clone(),
            error: end.error.clone(),
            is_new_session: self.is_new_session,
            retrieved_items: end.retrieved_context.clone(),
            citations: end.citations.clone(),
            citation_candidates: end.citation_candidates.clone(),
        }));
        let events = before.into_iter().chain([complete]);
        (first_seq..).zip(events).map(|(seq, event)| event.to_json(seq, chrono::Utc::now())).collect()
    }
}
