//! Translates a request to the types of `genai`.

use behalf_schema::{ModelDialect, for_model};
use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest as WireRequest, ChatResponseFormat, ContentPart, CustomPart, JsonSpec,
    MessageContent, ReasoningEffort as WireEffort, Tool, ToolCall as WireCall, ToolResponse,
};
use serde_json::Value;

use super::{SIGNATURES, THOUGHTS};
use crate::Opaque;
use crate::chat::{ChatRequest, Message, ReasoningEffort, ToolCall, ToolSpec};

/// Translates a request for the endpoint and model of the digest `origin`. The library is told to capture the usage, and the
/// thoughts, which their provider wants to read again beside tool calls. It passes their pieces on as well, where they are counted,
/// so that an answer whose thoughts have no end is given up.
pub(super) fn translate(request: ChatRequest, dialect: ModelDialect, origin: &str) -> (WireRequest, ChatOptions) {
    let mut options = ChatOptions::default().with_capture_usage(true).with_capture_reasoning_content(true);
    options.temperature = request.temperature;
    options.max_tokens = request.max_tokens;
    options.reasoning_effort = request.reasoning_effort.map(effort);
    options.response_format =
        request.response_format.map(|format| ChatResponseFormat::JsonSpec(JsonSpec::new(format.name, format.schema)));
    let mut wire = WireRequest::new(request.messages.into_iter().map(|one| message(one, origin)).collect());
    if !request.tools.is_empty() {
        wire.tools = Some(request.tools.into_iter().map(|spec| tool(spec, dialect)).collect());
    }
    (wire, options)
}

fn effort(effort: ReasoningEffort) -> WireEffort {
    match effort {
        ReasoningEffort::None => WireEffort::Zero,
        ReasoningEffort::Minimal => WireEffort::Minimal,
        ReasoningEffort::Low => WireEffort::Low,
        ReasoningEffort::Medium => WireEffort::Medium,
        ReasoningEffort::High => WireEffort::High,
    }
}

fn message(message: Message, origin: &str) -> ChatMessage {
    match message {
        Message::System { content } => ChatMessage::system(content),
        Message::User { content } => ChatMessage::user(content),
        Message::Assistant { content, tool_calls, opaque } => {
            let opaque = opaque.filter(|opaque| opaque.origin == origin);
            // Thoughts come before what they led to.
            let mut parts = opaque.as_deref().map(thoughts).unwrap_or_default();
            parts.extend((!content.is_empty()).then_some(ContentPart::Text(content)));
            let calls = tool_calls.into_iter().map(|call| ContentPart::ToolCall(wire_call(call, opaque.as_deref())));
            parts.extend(calls);
            ChatMessage::assistant(MessageContent::from_parts(parts))
        }
        Message::Tool { call_id, name, content, failed: _ } => {
            ChatMessage::from(ToolResponse::new(call_id, content).with_fn_name(name))
        }
    }
}

/// The thoughts of a turn as the library sends them.
fn thoughts(opaque: &Opaque) -> Vec<ContentPart> {
    let kept = opaque.message.get(THOUGHTS).and_then(Value::as_array);
    let text = |thought: &Value, key: &str| thought.get(key).and_then(Value::as_str).map(str::to_owned);
    let part = |thought: &Value| {
        let block = || thought.get("block").map(|data| CustomPart { model_iden: None, data: data.clone() });
        text(thought, "signature")
            .map(ContentPart::ThoughtSignature)
            .or_else(|| text(thought, "text").map(ContentPart::ReasoningContent))
            .or_else(|| block().map(ContentPart::Custom))
    };
    kept.into_iter().flatten().filter_map(part).collect()
}

fn wire_call(call: ToolCall, opaque: Option<&Opaque>) -> WireCall {
    let fields = opaque.and_then(|opaque| opaque.calls.get(&call.id));
    let signatures = fields.and_then(|fields| fields.get(SIGNATURES)).and_then(Value::as_array);
    let signatures = signatures.map(|all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect());
    WireCall { call_id: call.id, fn_name: call.name, fn_arguments: call.arguments, thought_signatures: signatures }
}

fn tool(spec: ToolSpec, dialect: ModelDialect) -> Tool {
    let schema = for_model(&spec.parameters, dialect);
    Tool::new(spec.name).with_description(spec.description).with_schema(schema)
}
