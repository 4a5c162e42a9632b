//! Our request in the client library's words.

use genai::chat::{
    ChatMessage, ChatOptions, ChatRequest as WireRequest, ChatResponseFormat, ContentPart,
    JsonSpec, MessageContent, ReasoningEffort as WireEffort, Tool, ToolCall as WireCall,
    ToolResponse,
};

use crate::models::{
    chat::{ChatRequest, Message, ReasoningEffort, ToolCall, ToolSpec},
    name::Family,
};

/// Translates a request. The library captures nothing but usage: what it captures grows without bound, and its
/// capture of tool calls reserves as much memory as an index in the stream tells it to.
pub(super) fn request(request: ChatRequest, family: Family) -> (WireRequest, ChatOptions) {
    let mut options = ChatOptions::default().with_capture_usage(true);
    options.temperature = request.temperature;
    options.max_tokens = request.max_tokens;
    options.reasoning_effort = effort(request.reasoning_effort, family);
    options.response_format = request
        .response_format
        .map(|format| ChatResponseFormat::JsonSpec(JsonSpec::new(format.name, format.schema)));
    let mut wire = WireRequest::new(request.messages.into_iter().map(message).collect());
    if !request.tools.is_empty() {
        wire.tools = Some(request.tools.into_iter().map(tool).collect());
    }
    (wire, options)
}

fn effort(effort: Option<ReasoningEffort>, family: Family) -> Option<WireEffort> {
    match effort {
        Some(ReasoningEffort::None) => Some(WireEffort::Zero),
        Some(ReasoningEffort::Minimal) => Some(WireEffort::Minimal),
        Some(ReasoningEffort::Low) => Some(WireEffort::Low),
        Some(ReasoningEffort::Medium) => Some(WireEffort::Medium),
        Some(ReasoningEffort::High) => Some(WireEffort::High),
        // Without any effort the library reads one from names like `qwen-max` and asks for `qwen`. OpenAI's protocol
        // has no budgets, so this one sends nothing and leaves the name alone.
        None if family == Family::OpenAi => Some(WireEffort::Budget(0)),
        None => None,
    }
}

fn message(message: Message) -> ChatMessage {
    match message {
        Message::System { content } => ChatMessage::system(content),
        Message::User { content } => ChatMessage::user(content),
        Message::Assistant {
            content,
            tool_calls,
        } => {
            let text = (!content.is_empty()).then_some(ContentPart::Text(content));
            let calls = tool_calls
                .into_iter()
                .map(|call| ContentPart::ToolCall(wire_call(call)));
            ChatMessage::assistant(MessageContent::from_parts(
                text.into_iter().chain(calls).collect::<Vec<_>>(),
            ))
        }
        Message::Tool {
            call_id,
            name,
            content,
            failed: _,
        } => ChatMessage::from(ToolResponse::new(call_id, content).with_fn_name(name)),
    }
}

fn wire_call(call: ToolCall) -> WireCall {
    WireCall {
        call_id: call.id,
        fn_name: call.name,
        fn_arguments: call.arguments,
        thought_signatures: None,
    }
}

fn tool(spec: ToolSpec) -> Tool {
    Tool::new(spec.name)
        .with_description(spec.description)
        .with_schema(spec.parameters)
}
