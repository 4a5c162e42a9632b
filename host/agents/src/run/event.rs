//! The events of a run, as they are stored and as clients get them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::text::storable;

/// Something that happened in a run, as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    Start {
        run_id: String,
        session_id: String,
        context_handler_id: Option<Uuid>,
        reasoning_requested: bool,
        /// Only where citations were asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        citation_candidates: Option<Vec<Value>>,
        /// Why a search before the run gave nothing.
        #[serde(skip_serializing_if = "Option::is_none")]
        warning: Option<String>,
    },
    StepStarted {
        step: u32,
        is_last_step: bool,
    },
    ContentDelta {
        delta: String,
    },
    ReasoningDelta {
        step: u32,
        source: &'static str,
        delta: String,
    },
    Reasoning {
        step: u32,
        source: &'static str,
        content: String,
    },
    ToolCall {
        step: u32,
        tool_name: String,
        arguments: Value,
        call_id: String,
    },
    ToolProgress {
        step: u32,
        tool_name: String,
        call_id: String,
        done: u64,
        total: Option<u64>,
        message: Option<String>,
    },
    /// Parts of a call's result, before the rest.
    ToolPartial {
        step: u32,
        tool_name: String,
        call_id: String,
        parts: Vec<Value>,
        /// Bytes of their JSON.
        #[serde(skip)]
        bytes: usize,
    },
    ToolResult(Box<ToolResult>),
    /// A tool searched knowledge bases.
    ContextHandlerCreated {
        context_handler_id: Uuid,
        tool_name: String,
        query: String,
    },
    ApprovalRequested(Box<ApprovalRequested>),
    ApprovalResolved {
        step: u32,
        approval_id: Uuid,
        tool_name: String,
        call_id: String,
        approved: bool,
        status: String,
        reason: Option<String>,
    },
    DelegationStarted {
        step: u32,
        tool_name: String,
        call_id: String,
        agent_id: Uuid,
        run_id: String,
    },
    DelegationCompleted {
        step: u32,
        tool_name: String,
        call_id: String,
        agent_id: Uuid,
        run_id: String,
        status: String,
    },
    ModelFallback {
        step: u32,
        from: String,
        to: String,
        reason: String,
    },
    /// Something that the operator should know of the step's request to the model.
    Warning {
        step: u32,
        message: String,
    },
    /// What was shown of this step so far does not count.
    StepReset {
        step: u32,
        reason: &'static str,
    },
    StepCompleted {
        step: u32,
        finish_reason: Value,
        has_tool_calls: bool,
    },
    Chunk {
        content: String,
    },
    Error {
        run_id: String,
        error: String,
        message: String,
    },
    Complete(Box<Complete>),
}

/// A call that waits until somebody agrees.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApprovalRequested {
    pub(crate) step: u32,
    pub(crate) approval_id: Uuid,
    pub(crate) tool_name: String,
    pub(crate) call_id: String,
    pub(crate) tool_input: Value,
    pub(crate) message: String,
    pub(crate) expires_at: String,
}

/// What a tool call returned.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ToolResult {
    pub(crate) step: u32,
    pub(crate) tool_name: String,
    pub(crate) call_id: String,
    pub(crate) result_preview: String,
    pub(crate) result: String,
    pub(crate) result_meta: Value,
    pub(crate) duration_ms: f64,
}

/// The last event of every run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Complete {
    pub(crate) run_id: String,
    pub(crate) session_id: String,
    pub(crate) context_handler_id: Option<Uuid>,
    pub(crate) content: String,
    pub(crate) status: &'static str,
    pub(crate) steps: Value,
    pub(crate) tool_calls: Value,
    pub(crate) usage: Value,
    pub(crate) error: Option<String>,
    pub(crate) is_new_session: bool,
    pub(crate) retrieved_items: Value,
    /// Only where citations were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) citations: Option<Value>,
    /// Only where citations were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) citation_candidates: Option<Value>,
}

impl Event {
    /// Takes `next` in where both can be shown as one; gives it back where not.
    pub(crate) fn merge(&mut self, next: Self) -> Option<Self> {
        match (self, next) {
            (Self::ContentDelta { delta }, Self::ContentDelta { delta: more }) => {
                delta.push_str(&more);
                None
            }
            (Self::ReasoningDelta { step, delta, .. }, Self::ReasoningDelta { step: same, delta: more, .. })
                if *step == same =>
            {
                delta.push_str(&more);
                None
            }
            (
                Self::ToolPartial { call_id, parts, bytes, .. },
                Self::ToolPartial { call_id: same, parts: more, bytes: of_more, .. },
            ) if *call_id == same => {
                parts.extend(more);
                *bytes += of_more;
                None
            }
            // Of two reports of one call, the later says all.
            (
                Self::ToolProgress { call_id, done, total, message, .. },
                Self::ToolProgress { call_id: same, done: d, total: t, message: m, .. },
            ) if *call_id == same => {
                (*done, *total, *message) = (d, t, m);
                None
            }
            (_, next) => Some(next),
        }
    }

    /// Bytes of text that wait to be shown.
    pub(crate) fn delta_bytes(&self) -> usize {
        match self {
            Self::ContentDelta { delta } | Self::ReasoningDelta { delta, .. } => delta.len(),
            Self::ToolPartial { bytes, .. } => *bytes,
            _ => 0,
        }
    }

    /// The event's JSON. All but the pieces of text repeat `event` as `type` and say when they happened.
    pub(crate) fn to_json(&self, seq: i64, at: DateTime<Utc>) -> Value {
        let Ok(Value::Object(mut fields)) = serde_json::to_value(self) else { return json!({ "event": "error" }) };
        if !matches!(self, Self::ContentDelta { .. } | Self::ReasoningDelta { .. }) {
            let kind = fields.get("event").cloned().unwrap_or_default();
            fields.insert("type".to_owned(), kind);
            fields.insert("seq".to_owned(), json!(seq));
            fields.insert("ts".to_owned(), json!(at.to_rfc3339_opts(SecondsFormat::Millis, true)));
        }
        storable(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_text_are_merged_and_other_events_are_not() {
        let mut first = Event::ContentDelta { delta: "Hel".to_owned() };
        assert!(first.merge(Event::ContentDelta { delta: "lo".to_owned() }).is_none());
        assert_eq!(first.to_json(4, Utc::now()), json!({ "event": "content_delta", "delta": "Hello" }));
        assert!(first.merge(Event::StepStarted { step: 1, is_last_step: false }).is_some());
        assert_eq!(first.delta_bytes(), 5);
    }

    #[test]
    fn parts_of_one_result_are_merged_in_their_order() {
        let part = |call: &str, number: u32| Event::ToolPartial {
            step: 1,
            tool_name: "report".to_owned(),
            call_id: call.to_owned(),
            parts: vec![json!({ "row": number })],
            bytes: 9,
        };
        let mut first = part("a", 1);
        assert!(first.merge(part("a", 2)).is_none());
        assert!(first.merge(part("b", 3)).is_some());
        assert_eq!(first.delta_bytes(), 18);
        assert_eq!(first.to_json(4, Utc::now())["parts"], json!([{ "row": 1 }, { "row": 2 }]));
    }

    #[test]
    fn an_event_of_the_loop_repeats_its_name_and_has_a_number() {
        let json = Event::StepStarted { step: 1, is_last_step: true }.to_json(2, DateTime::UNIX_EPOCH);
        assert_eq!(
            (&json["event"], &json["type"], &json["seq"]),
            (&json!("step_started"), &json!("step_started"), &json!(2))
        );
        assert_eq!(json["ts"], json!("1970-01-01T00:00:00.000Z"));
    }
}
