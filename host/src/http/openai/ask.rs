//! What a request asks for beside its conversation: taken, refused by name, or of no meaning here.

use http::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::message::Conversation;
use super::shape::Refusal;
use crate::agents::RunRequest;
use crate::models::ReasoningEffort;

/// Where a client names one of its own sessions, if it cannot set `metadata.session_id`.
const SESSION_HEADER: &str = "x-behalf-session-id";

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

/// A request, read.
#[derive(Debug)]
pub(super) struct Ask {
    /// The agent, by id or name.
    pub(super) model: String,
    /// The run.
    pub(super) run: RunRequest,
    /// Whether the answer comes in pieces.
    pub(super) stream: bool,
    /// Whether a stream ends with what it cost.
    pub(super) include_usage: bool,
}

impl Ask {
    /// Reads a body. Fields it does not know are ignored, as the API's own clients send more with every version.
    pub(super) fn read(fields: &Map<String, Value>, headers: &HeaderMap) -> Result<Self, Refusal> {
        let model = match fields.get("model") {
            Some(Value::String(model)) if !model.is_empty() => model.clone(),
            _ => return Err(Refusal::of("model", "model must be the id or the name of an agent")),
        };
        refuse(fields)?;
        let Conversation { instructions, history, question } = Conversation::read(fields.get("messages"))?;
        let session = session(fields, headers)?;
        let body = json!({
            "message": question, "session_id": session, "temperature": temperature(fields)?,
            "response_format": fields.get("response_format"),
        });
        let mut run =
            RunRequest::read(&body, false).map_err(|error| Refusal::of("response_format", error.to_string()))?;
        run = run.with_effort(max_tokens(fields)?, effort(fields)?);
        run.instructions = instructions;
        // Of a conversation that is kept here, the host knows better what was said.
        run.history = if session.is_some() { Vec::new() } else { history };
        let stream = optional::<bool>(fields, "stream", "true or false")?.unwrap_or(false);
        let include_usage = fields.get("stream_options").and_then(|options| options.get("include_usage"));
        Ok(Self { model, run, stream, include_usage: include_usage == Some(&Value::Bool(true)) })
    }
}

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

fn session(fields: &Map<String, Value>, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let fault = || Refusal::of("metadata", "a session id is a text of at most 255 characters");
    let named = match fields.get("metadata").and_then(|metadata| metadata.get("session_id")) {
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

fn temperature(fields: &Map<String, Value>) -> Result<Option<f64>, Refusal> {
    let wanted = "a number from 0 to 2";
    let given = optional::<f64>(fields, "temperature", wanted)?;
    match given {
        Some(value) if !(0.0..=2.0).contains(&value) => Err(must("temperature", wanted)),
        given => Ok(given),
    }
}

fn max_tokens(fields: &Map<String, Value>) -> Result<Option<u32>, Refusal> {
    let mut asked = None;
    for name in ["max_tokens", "max_completion_tokens"] {
        let wanted = "a whole number above 0";
        let given = optional::<u32>(fields, name, wanted)?;
        if given == Some(0) {
            return Err(must(name, wanted));
        }
        asked = given.or(asked);
    }
    Ok(asked)
}

fn effort(fields: &Map<String, Value>) -> Result<Option<ReasoningEffort>, Refusal> {
    optional(fields, "reasoning_effort", "none, minimal, low, medium or high")
}

fn optional<T: DeserializeOwned>(
    fields: &Map<String, Value>,
    name: &'static str,
    wanted: &str,
) -> Result<Option<T>, Refusal> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value).map(Some).map_err(|_| must(name, wanted)),
    }
}

fn must(name: &'static str, wanted: &str) -> Refusal {
    Refusal::of(name, format!("{name} must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: Value) -> Result<Ask, Refusal> {
        let mut body = json!({ "model": "helper", "messages": [{ "role": "user", "content": "hi" }] });
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        Ask::read(body.as_object().expect("an object"), &HeaderMap::new())
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
        let ask = read(json!({
            "n": 1, "stop": null, "top_p": 1.0, "logprobs": false, "tools": [], "tool_choice": "auto", "user": "u",
            "presence_penalty": 0, "seed": 7, "store": false, "stream": true, "stream_options": { "include_usage": true },
            "metadata": { "session_id": "sess_1" }, "modalities": ["text"],
        }))
        .expect("it is to be taken");
        assert!(ask.stream && ask.include_usage && ask.run.session_id.as_deref() == Some("sess_1"));
        assert!(read(json!({ "tools": [{ "type": "function" }], "tool_choice": "none" })).is_ok());
    }
}
