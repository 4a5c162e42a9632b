use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Something that happened in a run, as clients see it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(super) enum Event {
    Start {
        run_id: String,
        session_id: String,
        context_handler_id: Option<String>,
        reasoning_requested: bool,
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
    ToolResult(Box<ToolResult>),
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

/// A call that waits for somebody's word.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ApprovalRequested {
    pub(super) step: u32,
    pub(super) approval_id: Uuid,
    pub(super) tool_name: String,
    pub(super) call_id: String,
    pub(super) tool_input: Value,
    pub(super) message: String,
    pub(super) expires_at: String,
}

/// What a tool call returned.
#[derive(Clone, Debug, Serialize)]
pub(super) struct ToolResult {
    pub(super) step: u32,
    pub(super) tool_name: String,
    pub(super) call_id: String,
    pub(super) result_preview: String,
    pub(super) result: String,
    pub(super) result_meta: Value,
    pub(super) duration_ms: f64,
}

/// The last event of every run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Complete {
    pub(super) run_id: String,
    pub(super) session_id: String,
    pub(super) context_handler_id: Option<String>,
    pub(super) content: String,
    pub(super) status: &'static str,
    pub(super) steps: Value,
    pub(super) tool_calls: Value,
    pub(super) usage: Value,
    pub(super) error: Option<String>,
    pub(super) is_new_session: bool,
    pub(super) retrieved_items: Vec<Value>,
}

impl Event {
    /// Takes `next` in where both can be shown as one; gives it back where not.
    pub(super) fn merge(&mut self, next: Self) -> Option<Self> {
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
    pub(super) fn delta_bytes(&self) -> usize {
        match self {
            Self::ContentDelta { delta } | Self::ReasoningDelta { delta, .. } => delta.len(),
            _ => 0,
        }
    }

    /// The event's JSON. All but the pieces of text repeat `event` as `type` and say when they happened.
    pub(super) fn to_json(&self, seq: i64, at: DateTime<Utc>) -> Value {
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

/// The same JSON as Postgres can hold it: a NUL becomes the replacement character.
pub(super) fn storable(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(storable_text(text)),
        Value::Array(items) => Value::Array(items.into_iter().map(storable).collect()),
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.into_iter().map(|(name, value)| (storable_text(name), storable(value))).collect();
            Value::Object(fields)
        }
        other => other,
    }
}

/// The same text without NUL.
pub(super) fn storable_text(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
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
    fn an_event_of_the_loop_repeats_its_name_and_has_a_number() {
        let json = Event::StepStarted { step: 1, is_last_step: true }.to_json(2, DateTime::UNIX_EPOCH);
        assert_eq!(
            (&json["event"], &json["type"], &json["seq"]),
            (&json!("step_started"), &json!("step_started"), &json!(2))
        );
        assert_eq!(json["ts"], json!("1970-01-01T00:00:00.000Z"));
    }

    #[test]
    fn what_postgres_cannot_hold_is_replaced() {
        assert_eq!(storable(json!({ "a\0": ["b\0", 1] })), json!({ "a\u{fffd}": ["b\u{fffd}", 1] }));
    }
}
