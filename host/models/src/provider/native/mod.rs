//! The protocols of Anthropic, Gemini and Ollama, through the library `genai`.
//!
//! The library has no size limit for a single event and for the body of an error. So these protocols are only for
//! endpoints that are trusted to that extent; [`super::openai`] limits everything it reads.

mod request;

use behalf_schema::ModelDialect;
use behalf_telemetry::trace;
use futures::{StreamExt, stream};
use genai::{
    Client, ModelIden, ServiceTarget,
    adapter::AdapterKind,
    chat::{ChatStreamEvent, ContentPart, StopReason, StreamEnd, ToolCall as WireCall},
    resolver::{AuthData, Endpoint},
};
use serde_json::{Value, json};

use super::{
    Target,
    answer::Events,
    collect::{Arguments, CallPiece, Event},
    failure::{self, Failure},
};
use crate::{
    ApiKey, ModelError, SettingsError,
    chat::{ChatRequest, FinishReason, Usage},
};

/// The key for local endpoints that need none, because the library always sends one.
const NO_KEY: &str = "none";

/// The field in which a turn's thoughts are kept.
const THOUGHTS: &str = "thoughts";
/// The field in which a call's signatures are kept.
const SIGNATURES: &str = "signatures";

/// Makes the library's client on top of `http`.
pub(super) fn client(http: reqwest::Client) -> Result<Client, SettingsError> {
    Client::builder().with_reqwest(http).build().map_err(|_| SettingsError::Client)
}

/// Sends a request in the protocol of `kind`. Later failures arrive as events.
pub(super) async fn ask(
    client: &Client,
    kind: AdapterKind,
    target: &Target,
    request: &ChatRequest,
) -> Result<Events, Failure> {
    let dialect = if kind == AdapterKind::Anthropic { ModelDialect::Anthropic } else { ModelDialect::Common };
    let (wire, options) = request::translate(request.clone(), dialect, &target.origin());
    let options = options.with_extra_headers(trace::context());
    let key = target.api_key.as_ref().map_or(NO_KEY, ApiKey::expose);
    let service = ServiceTarget {
        endpoint: Endpoint::from_owned(target.url.as_str()),
        auth: AuthData::from_single(key),
        model: ModelIden::new(kind, target.model.as_str()),
    };
    let answer = client.exec_chat_stream(service, wire, Some(&options)).await.map_err(read_error)?;
    Ok(answer.stream.flat_map(|event| stream::iter(read_all(event))).boxed())
}

/// The events of one event of the library's.
fn read_all(event: Result<ChatStreamEvent, genai::Error>) -> Vec<Result<Event, Failure>> {
    match event {
        Ok(ChatStreamEvent::End(end)) => read_thoughts(&end).into_iter().chain([read_end(&end)]).map(Ok).collect(),
        Ok(event) => vec![Ok(read(event))],
        Err(error) => vec![Err(read_error(error))],
    }
}

fn read(event: ChatStreamEvent) -> Event {
    match event {
        ChatStreamEvent::Start | ChatStreamEvent::Heartbeat | ChatStreamEvent::ThoughtSignatureChunk(_) => Event::Noise,
        ChatStreamEvent::Chunk(chunk) => Event::Text(chunk.content),
        ChatStreamEvent::ReasoningChunk(chunk) => Event::Reasoning(chunk.content),
        ChatStreamEvent::ToolCallChunk(chunk) => Event::Call(read_call(chunk.tool_call)),
        ChatStreamEvent::End(end) => read_end(&end),
    }
}

/// The thoughts of a turn that their provider wants to read again, in their order: signed ones, and those it encrypted.
fn read_thoughts(end: &StreamEnd) -> Option<Event> {
    let parts = end.captured_content.as_ref()?.parts();
    let thought = |part: &ContentPart| match part {
        ContentPart::ThoughtSignature(signature) => Some(json!({ "signature": signature })),
        ContentPart::ReasoningContent(text) => Some(json!({ "text": text })),
        ContentPart::Custom(custom) => Some(json!({ "block": custom.data })),
        _ => None,
    };
    let thoughts: Vec<_> = parts.iter().filter_map(thought).collect();
    (!thoughts.is_empty()).then_some(Event::Field(THOUGHTS, Value::Array(thoughts)))
}

fn read_call(call: WireCall) -> CallPiece {
    let arguments = match call.fn_arguments {
        Value::String(text) => Arguments::SoFar(text),
        whole => Arguments::Whole(whole),
    };
    let opaque = call.thought_signatures.map_or(Value::Null, |signatures| json!({ SIGNATURES: signatures }));
    CallPiece { index: None, id: call.call_id, name: call.fn_name, arguments, opaque }
}

fn read_end(end: &StreamEnd) -> Event {
    let finish_reason = match &end.captured_stop_reason {
        Some(StopReason::Completed(_) | StopReason::StopSequence(_)) => FinishReason::Stop,
        Some(StopReason::MaxTokens(_)) => FinishReason::Length,
        Some(StopReason::ToolCall(_)) => FinishReason::ToolCalls,
        Some(StopReason::ContentFilter(_)) => FinishReason::ContentFilter,
        Some(StopReason::Other(_)) | None => FinishReason::Other,
    };
    // A negative count is a mistake of the endpoint.
    let count = |count: Option<i32>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0);
    let usage = end.captured_usage.clone().unwrap_or_default();
    let (input, output) = (count(usage.prompt_tokens), count(usage.completion_tokens));
    let usage = Usage {
        input_tokens: input,
        output_tokens: output,
        total_tokens: count(usage.total_tokens).max(input + output),
        cached_tokens: count(usage.prompt_tokens_details.and_then(|details| details.cached_tokens)),
        reasoning_tokens: count(usage.completion_tokens_details.and_then(|details| details.reasoning_tokens)),
    };
    Event::End { usage, finish_reason }
}

fn read_error(error: genai::Error) -> Failure {
    match error {
        genai::Error::HttpError { status, body, headers, .. } => failure::answered(status, &headers, body.as_bytes()),
        genai::Error::WebStream { error, .. } => match error.downcast::<genai::Error>() {
            Ok(inner) => read_error(*inner),
            Err(error) => match error.downcast_ref() {
                Some(error) => failure::transport(error).into(),
                None => ModelError::Protocol("it is not text").into(),
            },
        },
        genai::Error::ChatResponse { body, .. } => failure::reported(&body),
        genai::Error::StreamParse { .. } => ModelError::Protocol("a piece of it is not JSON").into(),
        genai::Error::SerdeJson(_)
        | genai::Error::JsonValueExt(_)
        | genai::Error::InvalidJsonResponseElement { .. } => {
            ModelError::Protocol("a piece of it has an unexpected shape").into()
        }
        _ => ModelError::Misconfigured("the model client cannot make this request").into(),
    }
}
