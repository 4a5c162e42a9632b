//! A request for a chat completion. Each field is taken, refused by name, or has no meaning for an agent.

use behalf_models::ReasoningEffort;
use behalf_web::ApiError;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::message::Conversation;
use super::refusal::Refusal;
use crate::knowledge::read_own_sources_only;
use crate::run::RunRequest;

/// The header in which a client names one of its own sessions, if it cannot set `metadata.session_id`.
pub(super) const SESSION_HEADER: &str = "x-behalf-session-id";

/// Fields that only mean something with a certain value, and that value: anything else is refused rather than ignored.
const NEUTRAL: [(&str, &[Neutral], &str); 11] = [
    ("n", &[Neutral::Number(1)], "an agent gives one answer"),
    ("stop", &[Neutral::Empty], "agents do not take it"),
    ("top_p", &[Neutral::Number(1)], "agents do not take it; use temperature"),
    ("presence_penalty", &[Neutral::Number(0)], "agents do not take it"),
    ("frequency_penalty", &[Neutral::Number(0)], "agents do not take it"),
    ("logit_bias", &[Neutral::Empty], "agents do not take it"),
    ("logprobs", &[Neutral::No], "agents do not give them"),
    ("top_logprobs", &[Neutral::Number(0)], "agents do not give them"),
    ("audio", &[], "agents answer in text"),
    ("prediction", &[], "agents do not take it"),
    ("web_search_options", &[], "an agent has the tools that its operator gave it"),
];

/// A value that changes nothing.
#[derive(Clone, Copy, Debug)]
enum Neutral {
    Number(u8),
    No,
    Empty,
}

/// The body of a request for a chat completion. Fields are read one by one, so that each refusal names its field. Fields that
/// are not listed here are refused where an agent would do something else than they ask for, and ignored otherwise, because
/// `OpenAI`'s own clients send more of them with every version.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub(super) struct ChatCompletionBody {
    /// The id or the name of an agent.
    #[schema(value_type = String, required = true)]
    model: Option<Value>,
    /// The conversation; the last message is the user's.
    #[schema(value_type = Vec<Object>, required = true)]
    messages: Option<Value>,
    /// Whether the answer comes in chunks.
    #[schema(value_type = Option<bool>)]
    stream: Option<Value>,
    /// `{"include_usage": true}` ends a stream with its usage.
    #[schema(value_type = Option<Object>)]
    stream_options: Option<Value>,
    /// Sampling temperature, from 0 to 2.
    #[schema(value_type = Option<f64>)]
    temperature: Option<Value>,
    /// Tokens that the model may write in one step, within what the agent allows.
    #[schema(value_type = Option<u32>)]
    max_tokens: Option<Value>,
    /// The same under its newer name.
    #[schema(value_type = Option<u32>)]
    max_completion_tokens: Option<Value>,
    /// `none`, `minimal`, `low`, `medium` or `high`.
    #[schema(value_type = Option<String>)]
    reasoning_effort: Option<Value>,
    /// The form that the answer must have: a JSON schema.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// `own_sources_only`: searches of this run see only sources that its caller owns.
    #[schema(value_type = Option<String>)]
    retrieval: Option<Value>,
    /// `session_id` names a session of the caller's to go on with.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// All other fields.
    #[serde(flatten)]
    #[schema(ignore)]
    others: Map<String, Value>,
}

/// A request for a chat completion.
#[derive(Debug)]
pub(super) struct ChatCompletionRequest {
    /// The agent, by id or name.
    pub(super) model: String,
    /// The run.
    pub(super) run: RunRequest,
    /// Whether the answer comes in chunks.
    pub(super) stream: bool,
    /// Whether a stream ends with its usage.
    pub(super) include_usage: bool,
}

impl ChatCompletionRequest {
    /// Reads a body.
    pub(super) fn read(body: &Value, headers: &HeaderMap) -> Result<Self, Refusal> {
        let body = ChatCompletionBody::parse(body)?;
        let model = match &body.model {
            Some(Value::String(model)) if !model.is_empty() => model.clone(),
            _ => return Err(Refusal::invalid("model", "model must be the id or the name of an agent")),
        };
        refuse(&body.others)?;
        let Conversation { instructions, history, question } = Conversation::read(body.messages.as_ref())?;
        let session = body.session(headers)?;
        let request = json!({
            "message": question, "session_id": session, "temperature": body.temperature()?,
            "response_format": body.response_format,
        });
        let mut run = RunRequest::read(&request, false)
            .map_err(|error| Refusal::invalid("response_format", error.to_string()))?
            .with_effort(body.max_tokens()?, body.effort()?);
        run.knowledge.own_sources_only =
            read_own_sources_only(body.retrieval.as_ref()).map_err(|fault| Refusal::invalid("retrieval", fault))?;
        run.instructions = instructions;
        // Of a session that is kept here, the host knows better what was said.
        run.history = if session.is_some() { Vec::new() } else { history };
        let stream = optional::<bool>(body.stream.as_ref(), "stream", "true or false")?.unwrap_or(false);
        let include_usage = body.stream_options.as_ref().and_then(|options| options.get("include_usage"));
        Ok(Self { model, run, stream, include_usage: include_usage == Some(&Value::Bool(true)) })
    }
}

impl ChatCompletionBody {
    fn parse(body: &Value) -> Result<Self, Refusal> {
        if !body.is_object() {
            return Err(ApiError::bad_request("send a JSON object").into());
        }
        Self::deserialize(body).map_err(|error| ApiError::bad_request(error.to_string()).into())
    }

    fn session(&self, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
        let fault = || Refusal::invalid("metadata", "a session id is a text of at most 255 characters");
        let named = match self.metadata.as_ref().and_then(|metadata| metadata.get("session_id")) {
            None | Some(Value::Null) => match headers.get(SESSION_HEADER) {
                Some(value) => Some(value.to_str().map_err(|_| fault())?.to_owned()),
                None => None,
            },
            Some(Value::String(id)) => Some(id.clone()),
            Some(_) => return Err(fault()),
        };
        match named.filter(|id| !id.is_empty()) {
            Some(id) if id.chars().count() > 255 => Err(fault()),
            named => Ok(named),
        }
    }

    fn temperature(&self) -> Result<Option<f64>, Refusal> {
        let wanted = "a number from 0 to 2";
        let given = optional::<f64>(self.temperature.as_ref(), "temperature", wanted)?;
        match given {
            Some(value) if !(0.0..=2.0).contains(&value) => Err(must("temperature", wanted)),
            given => Ok(given),
        }
    }

    fn max_tokens(&self) -> Result<Option<u32>, Refusal> {
        let fields = [("max_tokens", &self.max_tokens), ("max_completion_tokens", &self.max_completion_tokens)];
        let mut asked = None;
        for (name, value) in fields {
            let wanted = "a whole number above 0";
            let given = optional::<u32>(value.as_ref(), name, wanted)?;
            if given == Some(0) {
                return Err(must(name, wanted));
            }
            asked = given.or(asked);
        }
        Ok(asked)
    }

    fn effort(&self) -> Result<Option<ReasoningEffort>, Refusal> {
        optional(self.reasoning_effort.as_ref(), "reasoning_effort", "none, minimal, low, medium or high")
    }
}

/// Refuses fields that ask for something that an agent does not do.
fn refuse(fields: &Map<String, Value>) -> Result<(), Refusal> {
    let given = |name: &str| fields.get(name).filter(|value| !value.is_null());
    let unused = given("tool_choice").is_some_and(|choice| choice == "none");
    for name in ["tools", "functions"] {
        if given(name).is_some_and(|tools| !is_neutral(tools, Neutral::Empty)) && !unused {
            let text = "an agent has the tools that its operator gave it and calls them itself; leave this out";
            return Err(Refusal::unsupported(name, text));
        }
    }
    if given("tool_choice").is_some_and(|choice| choice != "none" && choice != "auto") {
        return Err(Refusal::unsupported("tool_choice", "the agent chooses its tools; leave this out"));
    }
    if given("modalities").is_some_and(|modalities| *modalities != json!(["text"])) {
        return Err(Refusal::unsupported("modalities", "agents answer in text"));
    }
    for (name, neutral, why) in NEUTRAL {
        if given(name).is_some_and(|value| !neutral.iter().any(|neutral| is_neutral(value, *neutral))) {
            return Err(Refusal::unsupported(name, format!("{name} is not supported: {why}")));
        }
    }
    Ok(())
}

fn is_neutral(value: &Value, neutral: Neutral) -> bool {
    match (value, neutral) {
        (Value::Number(number), Neutral::Number(wanted)) => number.as_f64() == Some(f64::from(wanted)),
        (Value::Bool(value), Neutral::No) => !value,
        (Value::Array(items), Neutral::Empty) => items.is_empty(),
        (Value::Object(fields), Neutral::Empty) => fields.is_empty(),
        _ => false,
    }
}

fn optional<T: DeserializeOwned>(
    value: Option<&Value>,
    name: &'static str,
    wanted: &str,
) -> Result<Option<T>, Refusal> {
    value.map(T::deserialize).transpose().map_err(|_| must(name, wanted))
}

fn must(name: &'static str, wanted: &str) -> Refusal {
    Refusal::invalid(name, format!("{name} must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(more: Value) -> Result<ChatCompletionRequest, Refusal> {
        let mut body = json!({ "model": "helper", "messages": [{ "role": "user", "content": "hi" }] });
        if let (Value::Object(fields), Value::Object(more)) = (&mut body, more) {
            fields.extend(more);
        }
        ChatCompletionRequest::read(&body, &HeaderMap::new())
    }

    #[test]
    fn what_would_be_ignored_in_silence_is_refused_by_name() {
        for bad in [
            json!({ "n": 2 }),
            json!({ "stop": "END" }),
            json!({ "top_p": 0.5 }),
            json!({ "logprobs": true }),
            json!({ "tools": [{ "type": "function" }] }),
            json!({ "tool_choice": "required" }),
            json!({ "audio": { "voice": "x" } }),
            json!({ "modalities": ["audio"] }),
            json!({ "temperature": 3 }),
            json!({ "max_tokens": 0 }),
            json!({ "reasoning_effort": "infinite" }),
            json!({ "response_format": { "type": "json_object" } }),
            json!({ "metadata": { "session_id": 1 } }),
            json!({ "stream": "yes" }),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_changes_nothing_is_taken() {
        let request = read(json!({
            "n": 1, "stop": null, "top_p": 1.0, "logprobs": false, "tools": [], "tool_choice": "auto", "user": "u",
            "presence_penalty": 0, "seed": 7, "store": false, "stream": true, "stream_options": { "include_usage": true },
            "metadata": { "session_id": "sess_1" }, "modalities": ["text"],
        }))
        .expect("it is to be taken");
        assert!(request.stream && request.include_usage && request.run.session_id.as_deref() == Some("sess_1"));
        assert!(read(json!({ "tools": [{ "type": "function" }], "tool_choice": "none" })).is_ok());
    }
}
