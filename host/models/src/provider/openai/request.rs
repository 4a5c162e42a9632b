//! Writes the body of a request.

use std::collections::HashMap;

use behalf_schema::{ModelDialect, for_model, plain};
use genai::chat::{JsonSchemaDialect, sanitize_json_schema};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::Opaque;
use crate::chat::{ChatRequest, Message, ReasoningEffort, ToolCall, ToolSpec};
use crate::provider::Target;
use crate::provider::quirks::{Field, Quirks, ToolForm, Want, tool_key};

/// `OpenAI`'s newer models refuse `max_tokens`; other endpoints know only that.
const NEW_LIMIT: [&str; 6] = ["gpt-5", "gpt-6", "o1", "o3", "o4", "codex"];
/// What Gemini takes in place of a signature, for calls that another model made
/// (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const STAND_IN: &str = "skip_thought_signature_validator";

/// Characters of an id that Mistral takes.
const SHORT_ID: usize = 9;

/// A request's body, and what was left out of it that the operator should know.
#[derive(Debug)]
pub(in crate::provider) struct Sent {
    pub(in crate::provider) body: Value,
    pub(in crate::provider) notes: Vec<String>,
}

/// The body of a request. Fields without a value are left out, because endpoints refuse fields they do not know, and so is what
/// this one has refused before.
pub(in crate::provider) fn body(request: &ChatRequest, target: &Target, quirks: &Quirks) -> Sent {
    let is_sent = |field: Field| !quirks.without.contains(&field);
    let mut writer = Writer { quirks, origin: target.origin(), originals: HashMap::new() };
    let messages: Vec<_> = request.messages.iter().map(|message| writer.message(message)).collect();
    let mut body = json!({ "model": target.model, "stream": is_sent(Field::Stream), "messages": messages });
    if is_sent(Field::Stream) && is_sent(Field::StreamOptions) {
        body["stream_options"] = json!({"include_usage": true});
    }
    let (tools, notes) = writer.tools(&request.tools, dialect(target));
    if !tools.is_empty() {
        body["tools"] = Value::Array(tools);
    }
    if let Some(temperature) = request.temperature.filter(|_| is_sent(Field::Temperature)) {
        body["temperature"] = json!(temperature);
    }
    if let Some((name, max_tokens)) = limit_name(&target.model, quirks).zip(request.max_tokens) {
        body[name] = json!(max_tokens);
    }
    if let Some(effort) = request.reasoning_effort.filter(|_| is_sent(Field::ReasoningEffort)) {
        body["reasoning_effort"] = json!(effort_word(effort));
    }
    if let Some(format) = &request.response_format {
        // Strict mode needs a schema that allows no other properties and requires all of them.
        let schema = sanitize_json_schema(&format.schema, JsonSchemaDialect::OpenAiStrict);
        let format = json!({"name": format.name, "strict": true, "schema": schema});
        body["response_format"] = json!({"type": "json_schema", "json_schema": format});
    }
    Sent { body, notes }
}

/// The name under which the endpoint takes the limit of tokens; none where it takes none.
fn limit_name(model: &str, quirks: &Quirks) -> Option<&'static str> {
    let is_new = NEW_LIMIT.iter().any(|prefix| model.starts_with(prefix));
    let (old, new) = ((Field::MaxTokens, "max_tokens"), (Field::MaxCompletionTokens, "max_completion_tokens"));
    let order = if is_new { [new, old] } else { [old, new] };
    order.into_iter().find(|(field, _)| !quirks.without.contains(field)).map(|(_, name)| name)
}

/// The schemas that the endpoint takes. Gemini is also behind gateways, which name it in the model.
fn dialect(target: &Target) -> ModelDialect {
    let model = target.model.to_lowercase();
    if target.url.contains("googleapis.com") || model.contains("gemini") {
        ModelDialect::Gemini
    } else if target.url.contains("anthropic.com") || model.contains("claude") {
        ModelDialect::Anthropic
    } else {
        ModelDialect::Common
    }
}

struct Writer<'a> {
    quirks: &'a Quirks,
    origin: String,
    /// Ids of the last turn's calls as their endpoint wrote them, where the host has shorter ones.
    originals: HashMap<&'a str, &'a str>,
}

impl<'a> Writer<'a> {
    fn wants(&self, want: Want) -> bool {
        self.quirks.wants.contains(&want)
    }

    fn message(&mut self, message: &'a Message) -> Value {
        match message {
            Message::System { content } => json!({"role": "system", "content": content}),
            Message::User { content } => json!({"role": "user", "content": content}),
            Message::Assistant { content, tool_calls, opaque } => {
                let opaque = opaque.as_deref().filter(|opaque| opaque.origin == self.origin);
                let opaque = opaque.filter(|_| !self.quirks.without.contains(&Field::Opaque));
                let original = |(id, fields): (&'a String, &'a Value)| Some((id.as_str(), fields.get("id")?.as_str()?));
                let calls = opaque.into_iter().flat_map(|opaque| &opaque.calls);
                self.originals = calls.filter_map(original).collect();
                self.turn(content, tool_calls, opaque)
            }
            Message::Tool { call_id, content, .. } => {
                json!({"role": "tool", "tool_call_id": self.id(call_id), "content": content})
            }
        }
    }

    /// A call's id as the endpoint takes it.
    fn id(&self, id: &str) -> String {
        match self.originals.get(id) {
            Some(original) => (*original).to_owned(),
            None if self.wants(Want::ShortIds) => {
                hex::encode(Sha256::digest(id)).get(..SHORT_ID).unwrap_or_default().to_owned()
            }
            None => id.to_owned(),
        }
    }

    /// A turn of the model, with what its provider wants to read again.
    fn turn(&self, content: &str, tool_calls: &[ToolCall], opaque: Option<&Opaque>) -> Value {
        let mut turn =
            Map::from_iter([("role".to_owned(), json!("assistant")), ("content".to_owned(), json!(content))]);
        if !tool_calls.is_empty() {
            // Some endpoints read an empty text beside calls as an empty answer.
            if content.is_empty() {
                turn.insert("content".to_owned(), Value::Null);
            }
            let calls = tool_calls.iter().enumerate().map(|(place, one)| self.call(one, place, opaque));
            turn.insert("tool_calls".to_owned(), calls.collect());
        }
        turn.extend(opaque.into_iter().flat_map(|opaque| opaque.message.clone()));
        if self.wants(Want::Reasoning) {
            turn.entry("reasoning_content").or_insert_with(|| json!(""));
        }
        Value::Object(turn)
    }

    fn call(&self, call: &ToolCall, place: usize, opaque: Option<&Opaque>) -> Value {
        // Servers that render templates need an object, even if the model wrote something else.
        let arguments = match &call.arguments {
            arguments @ Value::Object(_) => arguments.to_string(),
            unreadable => json!({ "unreadable_arguments": unreadable }).to_string(),
        };
        let function = json!({"name": call.name, "arguments": arguments});
        let mut written = json!({"id": self.id(&call.id), "type": "function", "function": function});
        if let Some(Value::Object(fields)) = opaque.and_then(|opaque| opaque.calls.get(&call.id)) {
            for (name, value) in fields {
                written[name.as_str()] = value.clone();
            }
        } else if self.wants(Want::StandIn) && place == 0 {
            // Of several calls of a turn, the first is signed.
            written["extra_content"] = json!({"google": {"thought_signature": STAND_IN}});
        }
        written
    }

    /// The tools as the endpoint takes them, and what to tell of those that are left out.
    fn tools(&self, specs: &[ToolSpec], dialect: ModelDialect) -> (Vec<Value>, Vec<String>) {
        let (mut tools, mut notes) = (Vec::new(), Vec::new());
        for spec in specs {
            let form = if self.quirks.tools.is_empty() { None } else { self.quirks.tools.get(&tool_key(spec)) };
            let parameters = match form {
                Some(ToolForm::LeftOut) => {
                    notes.push(format!(
                        "the model's endpoint refuses the schema of the tool {}; it was left out",
                        spec.name
                    ));
                    continue;
                }
                Some(ToolForm::Plain) => plain(&spec.parameters),
                None if self.wants(Want::PlainTools) => plain(&spec.parameters),
                None => for_model(&spec.parameters, dialect),
            };
            let function = json!({"name": spec.name, "description": spec.description, "parameters": parameters});
            tools.push(json!({"type": "function", "function": function}));
        }
        (tools, notes)
    }
}

fn effort_word(effort: ReasoningEffort) -> &'static str {
    match effort {
        ReasoningEffort::None => "none",
        ReasoningEffort::Minimal => "minimal",
        ReasoningEffort::Low => "low",
        ReasoningEffort::Medium => "medium",
        ReasoningEffort::High => "high",
    }
}
