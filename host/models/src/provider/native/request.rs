//! Translates a request to the types of `genai`.

use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest as WireRequest, ChatResponseFormat, ContentPart, JsonSpec, MessageContent,
    ReasoningEffort as WireEffort, Tool, ToolCall as WireCall, ToolResponse,
};

use crate::chat::{ChatRequest, Message, ReasoningEffort, ToolCall, ToolSpec};

/// Translates a request. The library is told to capture only the usage, because what it captures has no size limit.
pub(super) fn translate(request: ChatRequest) -> (WireRequest, ChatOptions) {
    let mut options = ChatOptions::default().with_capture_usage(true);
    options.temperature = request.temperature;
    options.max_tokens = request.max_tokens;
    options.reasoning_effort = request.reasoning_effort.map(effort);
    options.response_format =
        request.response_format.map(|format| ChatResponseFormat::JsonSpec(JsonSpec::new(format.name, format.schema)));
    let mut wire = WireRequest::new(request.messages.into_iter().map(message).collect());
    if !request.tools.is_empty() {
        wire.tools = Some(request.tools.into_iter().map(tool).collect());
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

fn message(message: Message) -> ChatMessage {
    match message {
        Message::System { content } => ChatMessage::system(content),
        Message::User { content } => ChatMessage::user(content),
        Message::Assistant { content, tool_calls } => {
            let text = (!content.is_empty()).then_some(ContentPart::Text(content));
            let calls = tool_calls.into_iter().map(|call| ContentPart::ToolCall(wire_call(call)));
            ChatMessage::assistant(MessageContent::from_parts(text.into_iter().chain(calls).collect::<Vec<_>>()))
        }
        Message::Tool { call_id, name, content, failed: _ } => {
            ChatMessage::from(ToolResponse::new(call_id, content).with_fn_name(name))
        }
    }
}

fn wire_call(call: ToolCall) -> WireCall {
    WireCall { call_id: call.id, fn_name: call.name, fn_arguments: call.arguments, thought_signatures: None }
}

fn tool(spec: ToolSpec) -> Tool {
    Tool::new(spec.name).with_description(spec.description).with_schema(spec.parameters)
}
