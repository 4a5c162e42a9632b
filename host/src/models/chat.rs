//! The port: what the run loop asks of a chat model, and what comes back.

use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Access, ModelError};

/// The streamed answer of one model turn.
///
/// Text and reasoning come in pieces, tool calls whole, and a good answer ends with exactly one [`Delta::Done`].
/// After an error, or after `Done`, nothing follows.
pub type ChatStream = BoxStream<'static, Result<Delta, ModelError>>;

/// One turn asked of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// Name of the model, such as `openai/gpt-4o-mini`; `None` takes the host's default.
    pub model: Option<String>,
    /// The conversation so far, oldest first.
    pub messages: Vec<Message>,
    /// Tools the model may call in this turn; empty when they are withheld.
    pub tools: Vec<ToolSpec>,
    /// Sampling temperature, where the model takes one.
    pub temperature: Option<f64>,
    /// Most tokens the model may write.
    pub max_tokens: Option<u32>,
    /// Shape the answer's text must have.
    pub response_format: Option<ResponseFormat>,
    /// How long the model should think first.
    pub reasoning_effort: Option<ReasoningEffort>,
    /// The agent's own keys; the host's is used for providers that are not among them.
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
    /// What the user said.
    User {
        /// The user's words.
        content: String,
    },
    /// What the model said and which tools it called.
    Assistant {
        /// The model's words; may be empty when it only called tools.
        content: String,
        /// The calls it made, in order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<ToolCall>,
    },
    /// What one tool call returned.
    Tool {
        /// The `id` of the call it answers.
        call_id: String,
        /// Name of the tool.
        name: String,
        /// What the tool returned, or why it failed.
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
        Self::Assistant { content: content.into(), tool_calls: Vec::new() }
    }

    /// The result of `call`.
    pub fn tool(call: &ToolCall, content: impl Into<String>) -> Self {
        Self::Tool { call_id: call.id.clone(), name: call.name.clone(), content: content.into(), failed: false }
    }

    /// The failure of `call`.
    pub fn tool_failure(call: &ToolCall, content: impl Into<String>) -> Self {
        Self::Tool { call_id: call.id.clone(), name: call.name.clone(), content: content.into(), failed: true }
    }
}

/// A tool as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Name to call it by.
    pub name: String,
    /// What it does, in words for the model.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// Whether it only reads. The built-in model calls no other tool of its own accord.
    pub read_only: bool,
}

/// A model's wish to call a tool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Name of this call, unique within the answer; its result must carry it.
    pub id: String,
    /// Name of the tool, as the model wrote it: it need not exist.
    pub name: String,
    /// The arguments as the model wrote them: not yet held against the tool's schema. Text that is not JSON is a
    /// JSON string here, so that the schema check refuses it and the model learns why.
    pub arguments: Value,
}

/// The shape an answer's text must have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResponseFormat {
    /// Name of the shape (letters, digits, `-`, `_`).
    pub name: String,
    /// JSON Schema of the answer.
    pub schema: Value,
}

/// How long a model should think before it answers, where it can be told.
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
    /// The next piece of what the model shows of its thinking.
    Reasoning(String),
    /// One whole tool call.
    ToolCall(ToolCall),
    /// The end of the answer.
    Done {
        /// What the turn cost; zeros where the provider does not say.
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
    /// Both, as the provider counts them.
    pub total_tokens: u64,
    /// Those read from the provider's cache.
    pub cached_tokens: u64,
    /// Those written while thinking.
    pub reasoning_tokens: u64,
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// It had said what it wanted to say.
    Stop,
    /// It wants tools called.
    ToolCalls,
    /// It reached the most tokens it may write.
    Length,
    /// The provider held text back.
    ContentFilter,
    /// Something else, or the provider did not say.
    Other,
}
