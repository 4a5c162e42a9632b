//! The request that begins a run.

use std::time::Duration;

use behalf_identity::UserClaims;
use behalf_models::{Message, ReasoningEffort, ResponseFormat};
use behalf_problem::{Kind, Problem};
use behalf_web::KeyClaim;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use utoipa::ToSchema;
use uuid::Uuid;

use super::passages::{self, RequestedPassage};
use crate::knowledge::{AskedKnowledge, read_bases, read_own_sources_only};
use crate::settings::RunOverrides;
use crate::store::AwaitedBy;

/// Knowledge bases that a request names.
const MAX_BASES: usize = 50;
/// Knowledge bases that a request adds for the model to search, as on the platform.
const MAX_RUNTIME_BASES: usize = 10;
/// Characters of a session's id.
const MAX_SESSION_ID_CHARS: usize = 255;

/// The body of a request that begins a run. Fields are read one by one, so that each has its own words for what is wrong with
/// it. Unknown fields are ignored, because clients of the platform send more of them.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub(crate) struct RunBody {
    /// The question.
    #[schema(value_type = String, required = true)]
    message: Option<Value>,
    /// The session to go on with; a new one where absent.
    #[schema(value_type = Option<String>)]
    session_id: Option<Value>,
    /// The user to act for; for the service role.
    #[schema(value_type = Option<Uuid>)]
    act_as_user: Option<Value>,
    /// What is known of that user, as the claims of a token: `{"app_metadata": {…}, "email"}`; for the service role. Where
    /// absent, the host looks it up.
    #[schema(value_type = Option<Object>)]
    act_as_claims: Option<Value>,
    /// Sampling temperature.
    #[schema(value_type = Option<f64>)]
    temperature: Option<Value>,
    /// How long the run may work.
    #[schema(value_type = Option<f64>)]
    timeout_seconds: Option<Value>,
    /// Tokens of context that the model gets at most.
    #[schema(value_type = Option<u32>)]
    max_context_tokens: Option<Value>,
    /// `{"type": "json_schema", "json_schema": {"name", "schema"}}`, or `{"type": "text"}`.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// One passage to read, as a text.
    #[schema(value_type = Option<String>)]
    context_override: Option<Value>,
    /// Passages to read: `{"text", "source_id", "meta"}`, or `{"item_id"}` with the id of a chunk that the caller can read.
    #[schema(value_type = Option<Vec<Object>>)]
    context_items: Option<Value>,
    /// Knowledge bases to search before the model is asked, as `{"id", "top_k", …}` or ids; for the service role.
    #[schema(value_type = Option<Vec<Object>>)]
    knowledge_bases: Option<Value>,
    /// At most ten knowledge bases that the model may search beside the agent's own, as `{"id", "top_k", …}`; for the service
    /// role, and for `/run/stream`.
    #[schema(value_type = Option<Vec<Object>>)]
    runtime_knowledge_bases: Option<Value>,
    /// A context handler whose passages to read; for the service role.
    #[schema(value_type = Option<Uuid>)]
    context_handler_id: Option<Value>,
    /// Whether the answer is to cite the passages that it uses.
    #[schema(value_type = Option<bool>)]
    citations_enabled: Option<Value>,
    /// `own_sources_only`: searches of this run see only sources that its caller owns.
    #[schema(value_type = Option<String>)]
    retrieval: Option<Value>,
}

/// A request to an agent. It is kept with the run while the run goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RunRequest {
    /// The question.
    pub(crate) message: String,
    /// The session to go on with.
    pub(crate) session_id: Option<String>,
    /// The user to act for, where the service role asks.
    pub(crate) act_as_user: Option<Uuid>,
    /// What the service role says of that user; it goes into the run's caller.
    #[serde(skip)]
    pub(crate) act_as_claims: Option<UserClaims>,
    /// The HTTP request, for the audit log.
    pub(crate) request_id: Option<String>,
    /// The earlier messages, where the client keeps the conversation itself: one list per question, oldest first.
    pub(crate) history: Vec<Vec<Message>>,
    /// The client's instructions for the model, below the agent's own.
    pub(crate) instructions: Option<String>,
    /// The claim of its idempotency key; it is settled when the run begins.
    #[serde(skip)]
    pub(crate) claim: Option<KeyClaim>,
    /// The request of the client that waits for the run, where it has no key; it is stored when the run begins.
    #[serde(skip)]
    pub(crate) awaited: Option<AwaitedBy>,
    /// The passages that the request gives the run to read, and those that a search found for it.
    pub(crate) passages: Vec<RequestedPassage>,
    /// What it says of knowledge.
    #[serde(default)]
    pub(crate) knowledge: AskedKnowledge,
    /// Settings that the request overrides.
    pub(crate) overrides: RunOverrides,
    /// The form that the answer must have.
    pub(crate) response_format: Option<ResponseFormat>,
    /// The run whose agent asks.
    #[serde(default)]
    pub(crate) parent: Option<ParentRun>,
}

/// The run whose agent asks another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ParentRun {
    /// That run.
    pub(crate) run_id: String,
    /// The id of the run that it begins; the same however often it is tried.
    pub(crate) child_id: String,
    /// Runs above the new one.
    pub(crate) depth: i32,
    /// What is left of its time.
    pub(crate) left: Duration,
    /// What is left of its tokens.
    pub(crate) tokens: Option<u64>,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum RequestError {
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

impl Problem for RequestError {
    fn kind(&self) -> Kind {
        match self {
            Self::Form(_) => Kind::BadRequest,
            Self::ServiceOnly(_) => Kind::Forbidden,
        }
    }
}

impl RunBody {
    /// Takes a body apart.
    fn parse(body: &Value) -> Result<Self, RequestError> {
        if !body.is_object() {
            return Err(form("send a JSON object"));
        }
        Self::deserialize(body).map_err(|error| form(&error.to_string()))
    }

    /// The fields that choose knowledge. A user's run takes its knowledge from the agent alone, as its operator decides. A
    /// passage by its id is another thing: it is read as the caller.
    fn service_fields(&self) -> Vec<&'static str> {
        let fields = [
            ("knowledge_bases", &self.knowledge_bases),
            ("runtime_knowledge_bases", &self.runtime_knowledge_bases),
            ("context_handler_id", &self.context_handler_id),
        ];
        fields.into_iter().filter(|(_, value)| value.is_some()).map(|(name, _)| name).collect()
    }

    /// The claims of the user to act for; they say nothing without one.
    fn act_as_claims(&self) -> Result<Option<UserClaims>, RequestError> {
        let given = |value: &Option<Value>| value.as_ref().is_some_and(|value| !value.is_null());
        if !given(&self.act_as_claims) {
            return Ok(None);
        }
        if !given(&self.act_as_user) {
            return Err(form("act_as_claims needs act_as_user"));
        }
        let claims = self.act_as_claims.clone().map(UserClaims::read).transpose();
        claims.map_err(|error| form(&format!("act_as_claims: {error}")))
    }

    /// Whether the body gives context in more than one way.
    fn has_several_contexts(&self) -> bool {
        let ways = [&self.knowledge_bases, &self.context_handler_id, &self.context_override, &self.context_items];
        ways.into_iter().filter(|way| way.is_some()).count() > 1
    }

    fn message(&self) -> Result<String, RequestError> {
        match &self.message {
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(text.clone()),
            _ => Err(form("message is required")),
        }
    }

    fn session_id(&self) -> Result<Option<String>, RequestError> {
        match &self.session_id {
            None => Ok(None),
            Some(Value::String(id)) if id.is_empty() => Ok(None),
            Some(Value::String(id)) if id.chars().count() <= MAX_SESSION_ID_CHARS && !id.contains('\0') => {
                Ok(Some(id.clone()))
            }
            Some(_) => Err(form("session_id must be a string of at most 255 characters")),
        }
    }

    fn knowledge(&self) -> Result<AskedKnowledge, RequestError> {
        let bases = |list: Option<&Value>, name: &str, most, strict| {
            list.map(|list| read_bases(list, name, most, strict)).transpose().map_err(|fault| form(&fault))
        };
        let runtime = self.runtime_knowledge_bases.as_ref();
        Ok(AskedKnowledge {
            bases: bases(self.knowledge_bases.as_ref(), "knowledge_bases", MAX_BASES, false)?,
            runtime: bases(runtime, "runtime_knowledge_bases", MAX_RUNTIME_BASES, true)?.unwrap_or_default(),
            handler: optional(self.context_handler_id.as_ref(), "context_handler_id", "a uuid")?,
            citations: optional(self.citations_enabled.as_ref(), "citations_enabled", "true or false")?
                .unwrap_or(false),
            own_sources_only: read_own_sources_only(self.retrieval.as_ref()).map_err(form)?,
            ..AskedKnowledge::default()
        })
    }

    fn overrides(&self) -> Result<RunOverrides, RequestError> {
        Ok(RunOverrides {
            temperature: optional(self.temperature.as_ref(), "temperature", "a number")?,
            timeout_seconds: optional(self.timeout_seconds.as_ref(), "timeout_seconds", "a number")?,
            max_context_tokens: optional(self.max_context_tokens.as_ref(), "max_context_tokens", "a whole number")?,
            ..RunOverrides::default()
        })
    }
}

impl RunRequest {
    /// Reads a request's body. `service` says whether the service role asks in its own name.
    pub(crate) fn read(body: &Value, service: bool) -> Result<Self, RequestError> {
        let body = RunBody::parse(body)?;
        let service_fields = body.service_fields();
        if !service && !service_fields.is_empty() {
            return Err(RequestError::ServiceOnly(service_fields.join(", ")));
        }
        if body.has_several_contexts() {
            return Err(form(
                "give at most one of knowledge_bases, context_handler_id, context_override, context_items",
            ));
        }
        Ok(Self {
            message: body.message()?,
            session_id: body.session_id()?,
            act_as_user: optional(body.act_as_user.as_ref(), "act_as_user", "a user's uuid")?,
            act_as_claims: body.act_as_claims()?,
            passages: passages::read_requested(body.context_override.as_ref(), body.context_items.as_ref())
                .map_err(form)?,
            overrides: body.overrides()?,
            knowledge: body.knowledge()?,
            response_format: read_format(body.response_format.as_ref())?,
            ..Self::default()
        })
    }

    /// The same request with fewer tokens to write than the agent may, and with more or less thought.
    #[must_use]
    pub(crate) fn with_effort(mut self, max_tokens: Option<u32>, effort: Option<ReasoningEffort>) -> Self {
        self.overrides.max_tokens = max_tokens;
        self.overrides.reasoning_effort = effort;
        self
    }
}

fn form(text: &str) -> RequestError {
    RequestError::Form(text.to_owned())
}

fn optional<T: DeserializeOwned>(value: Option<&Value>, name: &str, wanted: &str) -> Result<Option<T>, RequestError> {
    value.map(T::deserialize).transpose().map_err(|_| form(&format!("{name} must be {wanted}")))
}

/// The form of `OpenAI`'s API: `{"type": "json_schema", "json_schema": {"name", "schema"}}`.
fn read_format(format: Option<&Value>) -> Result<Option<ResponseFormat>, RequestError> {
    let Some(format) = format else { return Ok(None) };
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
    fn the_service_role_chooses_knowledge() {
        let id = "a11ce000-0000-4000-8000-000000000001";
        let body = json!({
            "message": "hi", "knowledge_bases": [{ "id": id }], "runtime_knowledge_bases": [{ "id": id, "top_k": 3 }],
            "citations_enabled": true, "retrieval": "own_sources_only",
        });
        let asked = RunRequest::read(&body, true).expect("it is well formed").knowledge;
        assert!(asked.names_any() && asked.citations && asked.own_sources_only);
        assert_eq!(asked.runtime.first().and_then(|base| base.config.top_k), Some(3));
        let many = vec![json!({ "id": id }); 11];
        for bad in [
            json!({ "runtime_knowledge_bases": many }),
            json!({ "runtime_knowledge_bases": [id] }),
            json!({ "context_handler_id": 7 }),
            json!({ "retrieval": "mine" }),
            json!({ "citations_enabled": "yes" }),
        ] {
            let mut body = bad;
            body["message"] = json!("hi");
            assert!(matches!(RunRequest::read(&body, true), Err(RequestError::Form(_))), "{body}");
        }
    }

    #[test]
    fn users_may_restrict_what_is_searched() {
        let asked =
            RunRequest::read(&json!({ "message": "hi", "retrieval": "own_sources_only" }), false).expect("taken");
        assert!(asked.knowledge.own_sources_only && !asked.knowledge.names_any());
        assert!(fault(&json!({ "message": "hi", "runtime_knowledge_bases": [] }), false).contains("service role key"));
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
