//! A run's answer in `OpenAI`'s form, whole or in pieces.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatCompletion {
    /// `chatcmpl-` and the run's id.
    id: String,
    /// `chat.completion`.
    object: &'static str,
    /// When it began, in seconds since 1970.
    created: i64,
    /// The model as the client named it.
    model: String,
    /// One answer.
    choices: Vec<Choice>,
    /// The tokens that it used.
    usage: CompletionUsage,
}

/// The answer itself.
#[derive(Debug, Serialize, ToSchema)]
struct Choice {
    /// 0.
    index: u32,
    /// The agent's message.
    message: AnswerMessage,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: Option<Value>,
    /// `stop`, `length` or `content_filter`.
    finish_reason: &'static str,
}

/// The agent's message.
#[derive(Debug, Serialize, ToSchema)]
struct AnswerMessage {
    /// `assistant`.
    role: &'static str,
    /// The text.
    content: String,
    /// Always null.
    refusal: Option<String>,
}

/// A piece of a streamed answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatCompletionChunk {
    /// `chatcmpl-` and the run's id.
    id: String,
    /// `chat.completion.chunk`.
    object: &'static str,
    /// When the answer began, in seconds since 1970.
    created: i64,
    /// The model as the client named it.
    model: String,
    /// The piece; none in the last chunk of a stream that ends with its usage.
    choices: Vec<ChunkChoice>,
    /// The tokens that the answer used: only where the client asked for them, and null but in the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<CompletionUsage>)]
    usage: Option<ChunkUsage>,
}

/// The tokens that a streamed answer used.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ChunkUsage {
    /// Not known before the end: null.
    Pending,
    /// All of them.
    Tokens(CompletionUsage),
}

/// The piece itself.
#[derive(Debug, Serialize, ToSchema)]
struct ChunkChoice {
    /// 0.
    index: u32,
    /// What this piece adds.
    delta: ChunkDelta,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    logprobs: Option<Value>,
    /// Why the answer ended; null but in the last piece.
    finish_reason: Option<&'static str>,
}

/// What a piece adds to the answer.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct ChunkDelta {
    /// `assistant`, in the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    /// More text.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// Tokens that an answer used.
#[derive(Debug, Serialize, ToSchema)]
struct CompletionUsage {
    /// Tokens that the model read.
    prompt_tokens: u64,
    /// Tokens that the model wrote.
    completion_tokens: u64,
    /// Both together.
    total_tokens: u64,
    /// Details of the tokens that the model read.
    prompt_tokens_details: PromptTokensDetails,
    /// Details of the tokens that the model wrote.
    completion_tokens_details: CompletionTokensDetails,
}

/// Details of the tokens that the model read.
#[derive(Debug, Serialize, ToSchema)]
struct PromptTokensDetails {
    /// Tokens that the provider had read before.
    cached_tokens: u64,
}

/// Details of the tokens that the model wrote.
#[derive(Debug, Serialize, ToSchema)]
struct CompletionTokensDetails {
    /// Tokens of thoughts.
    reasoning_tokens: u64,
}

/// The members that all pieces of one answer share.
#[derive(Clone, Debug)]
pub(super) struct AnswerHead {
    /// The run, so that its events and its audit rows can be found.
    pub(super) run_id: String,
    /// The model as the client named it.
    pub(super) model: String,
    /// When the answer began, in seconds since 1970.
    pub(super) created: i64,
}

impl AnswerHead {
    /// The whole answer.
    pub(super) fn whole(self, content: String, steps: &Value, usage: &Value) -> ChatCompletion {
        ChatCompletion {
            id: self.id(),
            object: "chat.completion",
            created: self.created,
            choices: vec![Choice {
                index: 0,
                message: AnswerMessage { role: "assistant", content, refusal: None },
                logprobs: None,
                finish_reason: finish_reason(steps),
            }],
            usage: CompletionUsage::read(usage),
            model: self.model,
        }
    }

    /// A piece; `finish` in the last one.
    pub(super) fn piece(&self, delta: ChunkDelta, finish_reason: Option<&'static str>) -> ChatCompletionChunk {
        self.chunk(vec![ChunkChoice { index: 0, delta, logprobs: None, finish_reason }])
    }

    /// The chunk that tells the usage of a streamed answer.
    pub(super) fn usage(&self, usage: &Value) -> ChatCompletionChunk {
        ChatCompletionChunk { usage: Some(ChunkUsage::Tokens(CompletionUsage::read(usage))), ..self.chunk(Vec::new()) }
    }

    fn chunk(&self, choices: Vec<ChunkChoice>) -> ChatCompletionChunk {
        ChatCompletionChunk {
            id: self.id(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            choices,
            usage: None,
        }
    }

    fn id(&self) -> String {
        format!("chatcmpl-{}", self.run_id)
    }
}

impl ChatCompletionChunk {
    /// The same chunk of a stream that ends with its usage: clients that asked for it look for the field in every chunk.
    pub(super) fn with_usage_field(mut self) -> Self {
        self.usage.get_or_insert(ChunkUsage::Pending);
        self
    }
}

impl ChunkDelta {
    /// The first piece, without text.
    pub(super) fn first() -> Self {
        Self { role: Some("assistant"), content: Some(String::new()) }
    }

    /// More text.
    pub(super) fn text(content: &str) -> Self {
        Self { role: None, content: Some(content.to_owned()) }
    }
}

impl CompletionUsage {
    /// Reads a run's usage, which is in the platform's form.
    fn read(usage: &Value) -> Self {
        let count = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
        Self {
            prompt_tokens: count("prompt_tokens"),
            completion_tokens: count("completion_tokens"),
            total_tokens: count("total_tokens"),
            prompt_tokens_details: PromptTokensDetails { cached_tokens: count("cached_tokens") },
            completion_tokens_details: CompletionTokensDetails { reasoning_tokens: count("reasoning_tokens") },
        }
    }
}

/// Why the last step ended, in `OpenAI`'s words.
pub(super) fn finish_reason(steps: &Value) -> &'static str {
    let last = steps.as_array().and_then(|steps| steps.last()).and_then(|step| step.get("finish_reason"));
    match last.and_then(Value::as_str) {
        Some("length") => "length",
        Some("content_filter") => "content_filter",
        _ => "stop",
    }
}
