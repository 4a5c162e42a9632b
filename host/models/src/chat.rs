//! The request to a chat model and its streamed answer.

use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Access, ModelError, Opaque};

/// The streamed answer of one model turn.
///
/// Text and reasoning arrive in pieces, tool calls as a whole, and a complete answer ends with exactly one
/// [`Delta::Done`]. Nothing follows an error or `Done`.
pub type ChatStream = BoxStream<'static, Result<Delta, ModelError>>;

/// A request for one turn of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// Name of the model, such as `openai/gpt-4o-mini`; `None` means the host's default.
    pub model: Option<String>,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// Tools that the model may call in this turn.
    pub tools: Vec<ToolSpec>,
    /// Sampling temperature, for models that have one.
    pub temperature: Option<f64>,
    /// The most tokens that the model may write.
    pub max_tokens: Option<u32>,
    /// The form that the answer's text must have.
    pub response_format: Option<ResponseFormat>,
    /// How long the model should think first.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// The agent's own keys. For other providers the host's key is used.
    pub accesses: Vec<Access>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Message {
    /// Instructions of the agent's author.
    System {
        /// The instructions.
        content: String,
    },
    /// A message of the user.
    User {
        /// The text.
        content: String,
    },
    /// A message of the model, with the tools that it called.
    Assistant {
        /// The text; it may be empty if the model only called tools.
        content: String,
        /// The model's tool calls, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
        /// What the model's provider wants to read again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        opaque: Option<Box<Opaque>>,
    },
    /// The result of one tool call.
    Tool {
        /// The `id` of the call.
        call_id: String,
        /// Name of the tool.
        name: String,
        /// The tool's result, or the reason of its failure.
        content: String,
        /// Whether the call failed.
        #[serde(default)]
        failed: bool,
    },
}

impl Message {
    /// A system message.
    pub fn system(content: impl Into<String>) -> Self {
        Self::System { content: content.into() }
    }

    /// A user's message.
    pub fn user(content: impl Into<String>) -> Self {
        Self::User { content: content.into() }
    }

    /// A model's message without tool calls.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::calling(content, Vec::new())
    }

    /// A model's message with tool calls, of which its provider wants to read nothing else again.
    pub fn calling(content: impl Into<String>, tool_calls: Vec<ToolCall>) -> Self {
        Self::Assistant { content: content.into(), tool_calls, opaque: None }
    }

    /// The message with the result of `call`.
    pub fn tool(call: &ToolCall, content: impl Into<String>) -> Self {
        Self::Tool { call_id: call.id.clone(), name: call.name.clone(), content: content.into(), failed: false }
    }

    /// The message with the failure of `call`.
    pub fn tool_failure(call: &ToolCall, content: impl Into<String>) -> Self {
        Self::Tool { call_id: call.id.clone(), name: call.name.clone(), content: content.into(), failed: true }
    }
}

/// The description of a tool for a model.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Name of the tool.
    pub name: String,
    /// What the tool does, for the model.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// Whether the tool only reads. The built-in model calls other tools only if the user names them.
    pub read_only: bool,
}

/// A model's request to call a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Id of this call, unique within the answer; its result must carry the same id.
    pub id: String,
    /// Name of the tool as the model wrote it. Such a tool need not exist.
    pub name: String,
    /// The arguments as the model wrote them, not yet checked against the tool's schema. A text that is not JSON is a
    /// JSON string here, so that the schema check refuses it with a reason for the model.
    pub arguments: Value,
}

/// The form that an answer's text must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseFormat {
    /// Name of the form (letters, digits, `-`, `_`).
    pub name: String,
    /// JSON Schema of the answer.
    pub schema: Value,
}

/// How long a model should think before it answers, for models that take such a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// Not at all.
    None,
    /// As little as the model allows.
    Minimal,
    /// A little.
    Low,
    /// The usual amount.
    Medium,
    /// Much.
    High,
}

/// One piece of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Delta {
    /// The next piece of the answer's text.
    Text(String),
    /// The next piece of the model's visible reasoning.
    Reasoning(String),
    /// One whole tool call.
    ToolCall(ToolCall),
    /// What the provider wants to read again with this turn. It comes once, before the end.
    Opaque(Box<Opaque>),
    /// Something that the operator should know of the request, such as a tool that the provider refused. It comes first.
    Note(String),
    /// The end of the answer.
    Done {
        /// The tokens of the turn; zeros if the provider does not report them.
        usage: Usage,
        /// Why the model stopped.
        finish_reason: FinishReason,
    },
}

/// Tokens spent on one turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written, thinking included.
    pub output_tokens: u64,
    /// The sum, as the provider counts it.
    pub total_tokens: u64,
    /// Input tokens that came from the provider's cache.
    pub cached_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The answer is complete.
    Stop,
    /// The model called tools.
    ToolCalls,
    /// The model reached its limit of tokens.
    Length,
    /// The provider withheld text.
    ContentFilter,
    /// Another reason, or none given.
    Other,
}
