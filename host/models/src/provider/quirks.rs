//! What an endpoint does not take, as its refusals teach: optional fields of requests, and schemas of tools.
//!
//! A request that is refused for an optional field is tried once more without it. What helped is remembered for the endpoint and the
//! model until the host stops, so that only the first request pays for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::failure::Failure;
use super::said::Said;
use crate::chat::{ChatRequest, Message, ToolSpec};

/// Endpoints with their models that are remembered. Agents may name their own, so there is a bound.
const MAX_REMEMBERED: usize = 500;
/// Tools of one endpoint that are remembered.
const MAX_TOOLS: usize = 200;

/// The optional fields that an operator can leave out of all requests.
pub const OPTIONAL_FIELDS: [&str; 6] =
    ["max_completion_tokens", "max_tokens", "reasoning_effort", "stream", "stream_options", "temperature"];

/// What a request may be sent without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    MaxCompletionTokens,
    MaxTokens,
    ReasoningEffort,
    /// Without it, the answer comes whole.
    Stream,
    StreamOptions,
    Temperature,
    /// What the model's earlier turns carry for their provider.
    Opaque,
}

/// A form of a tool that an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ToolForm {
    /// With the plainest schema.
    Plain,
    /// Not at all.
    LeftOut,
}

/// What one model at one endpoint does not take, and what it wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Quirks {
    pub(super) without: BTreeSet<Field>,
    /// By a tool's name and schema; see [`tool_key`].
    pub(super) tools: BTreeMap<String, ToolForm>,
    pub(super) wants: BTreeSet<Want>,
}

/// Something that an endpoint wants, and others do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// All tools with the plainest schemas.
    PlainTools,
    /// `reasoning_content` in every turn of the model, at least an empty one.
    Reasoning,
    /// Google's stand-in where a tool call has no signature.
    StandIn,
    /// Ids of nine letters and digits for the calls of other models: Mistral takes no others.
    ShortIds,
}

/// Words of a refusal that is about a field's being there, and not about its value.
const REFUSED: [&str; 20] = [
    "unsupported",
    "not supported",
    "does not support",
    "doesn't support",
    "not support",
    "unrecognized",
    "unrecognised",
    "unknown",
    "unexpected",
    "cannot find field",
    "extra inputs",
    "extra_forbidden",
    "not permitted",
    "not allowed",
    "only allowed when",
    "is allowed",
    "only the default",
    "not available",
    "unavailable",
    "must be verified",
];
/// Words of a refusal that is about the form of an id.
const BAD_ID: [&str; 4] = ["length of 9", "string too long", "should match pattern", "does not match pattern"];
/// Words of a refusal that is about the schema of a tool.
const SCHEMA: [&str; 6] =
    ["schema", "parameters", "function_declarations", "functiondeclaration", "invalid_function", "grammar"];

impl Field {
    const ALL: [Self; 7] = [
        Self::MaxCompletionTokens,
        Self::MaxTokens,
        Self::ReasoningEffort,
        Self::StreamOptions,
        Self::Stream,
        Self::Temperature,
        Self::Opaque,
    ];

    /// The field of this name, if a request may be sent without it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| *field != Self::Opaque && field.names().contains(&name))
    }

    /// Its names in refusals.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::MaxCompletionTokens => &["max_completion_tokens"],
            Self::MaxTokens => &["max_tokens"],
            Self::ReasoningEffort => &["reasoning_effort", "reasoningeffort"],
            Self::Stream => &["stream", "streaming"],
            Self::StreamOptions => &["stream_options", "include_usage"],
            Self::Temperature => &["temperature"],
            Self::Opaque => &["reasoning_content", "reasoning_details", "extra_content", "provider_specific_fields"],
        }
    }

    /// Whether the body of a request has it.
    fn is_in(self, body: &Value) -> bool {
        match self {
            Self::Stream => body.get("stream") == Some(&Value::Bool(true)),
            Self::Opaque => body.get("messages").and_then(Value::as_array).is_some_and(|messages| {
                let is_opaque = |of: &Value| self.names().iter().any(|name| of.get(name).is_some());
                messages.iter().any(|message| {
                    let calls = message.get("tool_calls").and_then(Value::as_array);
                    is_opaque(message) || calls.is_some_and(|calls| calls.iter().any(is_opaque))
                })
            }),
            other => other.names().iter().any(|name| body.get(name).is_some()),
        }
    }
}

impl Quirks {
    /// What the refusal of `body` teaches; nothing where it is not about something that can be left out.
    pub(super) fn learn(&self, failure: &Failure, body: &Value, request: &ChatRequest) -> Option<Self> {
        if !failure.is_refusal {
            return None;
        }
        self.learn_of_turns(failure, request)
            .or_else(|| self.learn_of_fields(failure, body))
            .or_else(|| self.learn_of_tools(failure, body, request))
    }

    /// What earlier turns of the model have to carry.
    fn learn_of_turns(&self, failure: &Failure, request: &ChatRequest) -> Option<Self> {
        let said = &failure.said;
        if !request.messages.iter().any(|message| matches!(message, Message::Assistant { .. })) {
            return None;
        }
        let is_missing = said.has_any(&["missing", "must be passed", "must be provided", "is required"]);
        let mut learned = self.clone();
        if said.has_any(&["thought_signature", "thought signature", "thoughtsignature"]) {
            learned.wants.insert(Want::StandIn);
            if !is_missing {
                // Another provider's, or one of another model.
                learned.without.insert(Field::Opaque);
            }
        } else if is_missing && said.names("reasoning_content") {
            learned.wants.insert(Want::Reasoning);
        } else if said.has_any(&BAD_ID) && said.has_any(&["tool call id", "tool_call", "tool_use", "call_id"]) {
            learned.wants.insert(Want::ShortIds);
        }
        (learned != *self).then_some(learned)
    }

    fn learn_of_fields(&self, failure: &Failure, body: &Value) -> Option<Self> {
        let said = &failure.said;
        if !said.has_any(&REFUSED) {
            return None;
        }
        let is_meant = |field: &Field| field.is_in(body) && field.names().iter().any(|name| said.names(name));
        let field = Field::ALL.into_iter().find(is_meant)?;
        let mut learned = self.clone();
        learned.without.insert(field).then_some(learned)
    }

    /// A refused tool goes with a plainer schema, and then not at all; the others stay.
    fn learn_of_tools(&self, failure: &Failure, body: &Value, request: &ChatRequest) -> Option<Self> {
        let said = &failure.said;
        let sent = body.get("tools").and_then(Value::as_array).filter(|tools| !tools.is_empty())?;
        if !said.has_any(&SCHEMA) || said.has("tool_use_failed") {
            return None;
        }
        let names = sent.iter().map(|tool| tool.pointer("/function/name").and_then(Value::as_str).unwrap_or_default());
        let meant = names.enumerate().find(|(place, name)| is_meant(said, *place, name)).map(|(_, name)| name);
        let spec = meant.and_then(|name| request.tools.iter().find(|spec| spec.name == name));
        let mut learned = self.clone();
        match spec.map(tool_key) {
            Some(key) if learned.tools.len() < MAX_TOOLS => {
                let is_plain = self.wants.contains(&Want::PlainTools) || self.tools.contains_key(&key);
                learned.tools.insert(key, if is_plain { ToolForm::LeftOut } else { ToolForm::Plain });
            }
            // No tool is named, so all of them are made plain.
            _ if said.has_any(&["schema", "grammar"]) => {
                learned.wants.insert(Want::PlainTools);
            }
            _ => return None,
        }
        (learned != *self).then_some(learned)
    }
}

/// Whether a refusal is about the tool at this place: it has its name or its number.
fn is_meant(said: &Said, place: usize, name: &str) -> bool {
    /// How endpoints begin the path of a tool.
    const PATHS: [&str; 3] = ["tools[", "tools.", "tools/"];
    /// Gemini's list of tools has one entry, with all functions.
    const GEMINI: [&str; 1] = ["function_declarations["];
    let paths: &[&str] = if said.has("function_declarations[") { &GEMINI } else { &PATHS };
    let is_at = |path: &&str| ["]", ".", "/"].iter().any(|end| said.has(&format!("{path}{place}{end}")));
    (!name.is_empty() && said.names(&name.to_lowercase())) || paths.iter().any(is_at)
}

/// A tool by its name and schema: another agent's tool of the same name may be a better one.
pub(super) fn tool_key(spec: &ToolSpec) -> String {
    let mut hasher = DefaultHasher::new();
    spec.parameters.to_string().hash(&mut hasher);
    format!("{} {:016x}", spec.name, hasher.finish())
}

/// What each endpoint's models taught.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<HashMap<String, Quirks>>>);

impl Memory {
    /// What is known of an endpoint's model, by the digest of both.
    pub(super) fn of(&self, origin: &str) -> Quirks {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(origin).cloned().unwrap_or_default()
    }

    /// Remembers what helped.
    pub(super) fn remember(&self, origin: &str, quirks: Quirks) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED && !known.contains_key(origin) {
            // Forgetting costs a refused request.
            known.clear();
        }
        known.insert(origin.to_owned(), quirks);
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;
    use reqwest::header::HeaderMap;
    use serde_json::json;

    use super::*;
    use crate::provider::failure::answered;

    fn body() -> Value {
        let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {}}});
        json!({"stream": true, "stream_options": {"include_usage": true}, "temperature": 0, "max_tokens": 9,
            "reasoning_effort": "low", "tools": [tool("one"), tool("two")], "messages": []})
    }

    fn spec(name: &str) -> ToolSpec {
        ToolSpec { name: name.to_owned(), description: String::new(), parameters: json!({}), read_only: true }
    }

    fn learned(said: &Value, known: &Quirks) -> Option<Quirks> {
        let failure = answered(StatusCode::BAD_REQUEST, &HeaderMap::new(), said.to_string().as_bytes());
        let request = ChatRequest { tools: vec![spec("one"), spec("two")], ..ChatRequest::default() };
        known.learn(&failure, &body(), &request)
    }

    #[test]
    fn a_field_that_is_refused_is_left_out() {
        for (field, said) in [
            (
                Field::StreamOptions,
                json!({"message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options", "include_usage"], "msg": "Extra inputs are not permitted"}]}}),
            ),
            (
                Field::MaxTokens,
                json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", "param": "max_tokens", "code": "unsupported_parameter"}}),
            ),
            (
                Field::Temperature,
                json!({"error": {"message": "invalid temperature: only 1 is allowed for this model"}}),
            ),
            (
                Field::Temperature,
                json!({"error": {"message": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) value is supported."}}),
            ),
            (
                Field::ReasoningEffort,
                json!([{"error": {"code": 400, "message": "Invalid JSON payload received. Unknown name \"reasoning_effort\": Cannot find field."}}]),
            ),
            (
                Field::Stream,
                json!({"error": {"message": "Your organization must be verified to stream this model.", "param": "stream", "code": "unsupported_value"}}),
            ),
        ] {
            let learned = learned(&said, &Quirks::default());
            assert_eq!(learned.map(|learned| learned.without), Some(BTreeSet::from([field])), "{said}");
        }
    }

    #[test]
    fn what_is_not_about_a_field_teaches_nothing() {
        for said in [
            json!({"error": {"message": "max_tokens is too large: 100000"}}),
            json!({"error": {"message": "Unsupported parameter: 'top_k'"}}),
            json!({"error": {"message": "the moon is unavailable"}}),
            json!({}),
        ] {
            assert_eq!(learned(&said, &Quirks::default()), None, "{said}");
        }
    }

    #[test]
    fn a_refused_tool_becomes_plain_and_then_goes_and_the_others_stay() {
        let said = json!({"error": {"message": "Invalid schema for function 'two': In context=(), array schema missing items.", "param": "tools[1].function.parameters", "code": "invalid_function_parameters"}});
        let once = learned(&said, &Quirks::default()).expect("a lesson");
        assert_eq!(once.tools, BTreeMap::from([(tool_key(&spec("two")), ToolForm::Plain)]));
        let twice = learned(&said, &once).expect("a lesson");
        assert_eq!(twice.tools, BTreeMap::from([(tool_key(&spec("two")), ToolForm::LeftOut)]));
        let placed = json!([{"error": {"message": "Invalid value at 'tools[0].function_declarations[1].parameters': Unknown name \"x\""}}]);
        assert_eq!(learned(&placed, &Quirks::default()).expect("a lesson").tools, once.tools);
        let nobody = json!({"error": {"message": "failed to parse grammar"}});
        assert!(learned(&nobody, &Quirks::default()).expect("a lesson").wants.contains(&Want::PlainTools));
    }

    #[test]
    fn turns_get_what_their_provider_misses() {
        let request = ChatRequest { messages: vec![Message::assistant("hm")], ..ChatRequest::default() };
        let learned = |said: Value| {
            let failure = answered(StatusCode::BAD_REQUEST, &HeaderMap::new(), said.to_string().as_bytes());
            Quirks::default().learn(&failure, &json!({}), &request).expect("a lesson")
        };
        let missing = json!({"error": {"message": "Missing `reasoning_content` field in the assistant message at message index 2."}});
        assert!(learned(missing).wants.contains(&Want::Reasoning));
        let unsigned =
            json!([{"error": {"message": "Function call is missing a thought_signature in functionCall parts."}}]);
        let unsigned = learned(unsigned);
        assert!(unsigned.wants.contains(&Want::StandIn) && unsigned.without.is_empty());
        let foreign = learned(json!([{"error": {"message": "Corrupted thought signature."}}]));
        assert!(foreign.wants.contains(&Want::StandIn) && foreign.without.contains(&Field::Opaque));
        let named = json!({"message": "Tool call id was call_a but must be a-z, A-Z, 0-9, with a length of 9."});
        assert!(learned(named).wants.contains(&Want::ShortIds));
    }
}
