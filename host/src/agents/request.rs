use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

use super::passages::{self, Asked};
use super::settings::Wishes;
use crate::db::KeyClaim;
use crate::models::{Message, ReasoningEffort, ResponseFormat};

/// Characters of a session's id.
const MAX_SESSION_ID_CHARS: usize = 255;

/// Ways to give a run context; a request has at most one.
const CONTEXTS: [&str; 4] = ["knowledge_bases", "context_handler_id", "context_override", "context_items"];
/// What a user's run takes from the agent alone.
const SERVICE_ONLY: [&str; 3] = ["knowledge_bases", "runtime_knowledge_bases", "context_handler_id"];

/// What somebody asks an agent. It is kept with the run while it goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunRequest {
    /// The question.
    pub message: String,
    /// The conversation to go on with.
    pub session_id: Option<String>,
    /// The user to act for, where the service role asks.
    pub act_as_user: Option<Uuid>,
    /// The HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// What a client that keeps its conversation itself says was said before: one list per question, oldest first.
    pub history: Vec<Vec<Message>>,
    /// What the client tells the model, below the agent's own instructions.
    pub instructions: Option<String>,
    /// The claim of its idempotency key; it is settled when the run begins.
    #[serde(skip)]
    pub claim: Option<KeyClaim>,
    pub(super) context: Vec<Asked>,
    pub(super) wishes: Wishes,
    pub(super) response_format: Option<ResponseFormat>,
    /// The run whose agent asks.
    #[serde(default)]
    pub(super) parent: Option<Parent>,
}

/// The run whose agent asks another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Parent {
    /// That run.
    pub(super) run_id: String,
    /// The id of the run that it begins; the same however often it is tried.
    pub(super) child_id: String,
    /// Runs above the new one.
    pub(super) depth: i32,
    /// What is left of its time.
    pub(super) left: Duration,
    /// What is left of its tokens.
    pub(super) tokens: Option<u64>,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RequestError {
    /// It is not of the documented form.
    #[error("{0}")]
    Form(String),
    /// These fields are the service role's.
    #[error(
        "{0} may only be set with the project's service role key; an end user's run uses the knowledge bases configured \
         on the agent"
    )]
    ServiceOnly(String),
}

impl RunRequest {
    /// Reads a request's body. `service` says whether the service role asks in its own name. Unknown fields are ignored,
    /// as clients of the platform send more of them.
    pub fn read(body: &Value, service: bool) -> Result<Self, RequestError> {
        let Value::Object(fields) = body else { return Err(form("send a JSON object")) };
        let given: Vec<_> = CONTEXTS.into_iter().filter(|name| has(fields, name)).collect();
        if !service {
            refuse_service_fields(fields)?;
        }
        if given.len() > 1 {
            return Err(form(&format!("give at most one of {}", CONTEXTS.join(", "))));
        }
        for name in SERVICE_ONLY {
            if has(fields, name) {
                return Err(form(&format!("{name} is not supported on this host yet; send context_items")));
            }
        }
        Ok(Self {
            message: match fields.get("message") {
                Some(Value::String(text)) if !text.trim().is_empty() => text.clone(),
                _ => return Err(form("message is required")),
            },
            session_id: read_session_id(fields)?,
            act_as_user: optional(fields, "act_as_user", "a user's uuid")?,
            request_id: None,
            history: Vec::new(),
            instructions: None,
            claim: None,
            context: passages::read_asked(fields).map_err(form)?,
            wishes: Wishes {
                temperature: optional(fields, "temperature", "a number")?,
                timeout_seconds: optional(fields, "timeout_seconds", "a number")?,
                max_context_tokens: optional(fields, "max_context_tokens", "a whole number")?,
                ..Wishes::default()
            },
            response_format: read_format(fields)?,
            parent: None,
        })
    }

    /// The same request with fewer tokens to write than the agent may, and with more or less thought.
    #[must_use]
    pub fn with_effort(mut self, max_tokens: Option<u32>, effort: Option<ReasoningEffort>) -> Self {
        self.wishes.max_tokens = max_tokens;
        self.wishes.reasoning_effort = effort;
        self
    }
}

fn form(text: &str) -> RequestError {
    RequestError::Form(text.to_owned())
}

/// A field that is there and not null.
fn has(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_some_and(|value| !value.is_null())
}

fn optional<T: DeserializeOwned>(
    fields: &Map<String, Value>,
    name: &str,
    wanted: &str,
) -> Result<Option<T>, RequestError> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|_| form(&format!("{name} must be {wanted}"))),
    }
}

/// Which knowledge an agent has, its operator decides. An item by its id is another thing: it is read as the caller.
fn refuse_service_fields(fields: &Map<String, Value>) -> Result<(), RequestError> {
    let refused: Vec<_> = SERVICE_ONLY.into_iter().filter(|name| has(fields, name)).collect();
    if refused.is_empty() { Ok(()) } else { Err(RequestError::ServiceOnly(refused.join(", "))) }
}

fn read_session_id(fields: &Map<String, Value>) -> Result<Option<String>, RequestError> {
    match fields.get("session_id") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) if id.chars().count() <= MAX_SESSION_ID_CHARS && !id.contains('\0') => {
            Ok(Some(id.clone()))
        }
        Some(_) => Err(form("session_id must be a string of at most 255 characters")),
    }
}

/// The form of `OpenAI`'s API: `{"type": "json_schema", "json_schema": {"name", "schema"}}`.
fn read_format(fields: &Map<String, Value>) -> Result<Option<ResponseFormat>, RequestError> {
    let Some(format) = fields.get("response_format").filter(|format| !format.is_null()) else { return Ok(None) };
    let kind = format.get("type").and_then(Value::as_str);
    if kind == Some("text") {
        return Ok(None);
    }
    let schema = format.pointer("/json_schema/schema").filter(|schema| schema.is_object());
    let (Some("json_schema"), Some(schema)) = (kind, schema) else {
        return Err(form(r#"response_format must be {"type": "json_schema", "json_schema": {"name", "schema"}}"#));
    };
    let name = format.pointer("/json_schema/name").and_then(Value::as_str).unwrap_or("answer");
    let plain = !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if !plain {
        return Err(form("response_format: the name may have 64 letters, digits, - and _"));
    }
    Ok(Some(ResponseFormat { name: name.to_owned(), schema: schema.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(body: &Value, service: bool) -> String {
        RunRequest::read(body, service).expect_err("it is not to be taken").to_string()
    }

    #[test]
    fn a_request_needs_a_message_and_ignores_what_it_does_not_know() {
        for bad in [json!({}), json!({ "message": " " }), json!({ "message": 1 })] {
            assert_eq!(fault(&bad, false), "message is required");
        }
        let request =
            RunRequest::read(&json!({ "message": "hi", "session_id": null, "citations_enabled": true }), false);
        assert_eq!(request.map(|request| (request.message, request.session_id)), Ok(("hi".to_owned(), None)));
    }

    #[test]
    fn a_session_id_is_a_short_text() {
        for bad in [json!(1), json!(["a"]), json!("x".repeat(256)), json!("a\0")] {
            assert!(fault(&json!({ "message": "hi", "session_id": bad }), true).starts_with("session_id must be"));
        }
    }

    #[test]
    fn users_do_not_choose_knowledge() {
        let body = json!({ "message": "hi", "knowledge_bases": [], "context_items": [{ "item_id": "x" }] });
        assert!(fault(&body, false).starts_with("knowledge_bases may only be set"));
        assert!(fault(&body, true).starts_with("give at most one of"));
    }

    #[test]
    fn an_answer_may_be_asked_for_in_a_shape() {
        let body =
            json!({ "message": "hi", "response_format": { "type": "json_schema", "json_schema": { "schema": {} } } });
        let request = RunRequest::read(&body, false).expect("it is well formed");
        assert_eq!(request.response_format.map(|format| format.name), Some("answer".to_owned()));
        assert!(
            fault(&json!({ "message": "hi", "response_format": { "type": "json_object" } }), false)
                .contains("json_schema")
        );
    }
}
