//! Asks a chat model about a document. What the document says is data: it is quoted, and the model is told so.

use behalf_models::{ChatRequest, Delta, FinishReason, Message, ModelError, Models, ResponseFormat};
use futures::StreamExt as _;
use serde_json::Value;
use thiserror::Error;

/// Bytes of an answer, at most.
const MAX_ANSWER: usize = 256 * 1024;

/// Why a model gave no answer that can be used.
#[derive(Debug, Error)]
pub(crate) enum ChatError {
    /// The model failed.
    #[error("the chat model failed")]
    Model(#[from] ModelError),
    /// Its answer has another form than it was asked for.
    #[error("The chat model's answer cannot be used: {0}")]
    Form(&'static str),
}

/// A question, and the model that is asked.
#[derive(Clone, Debug)]
pub(crate) struct Question<'a> {
    /// The model; that of the host where none.
    pub(crate) model: Option<&'a str>,
    /// What to do.
    pub(crate) task: &'a str,
    /// The data.
    pub(crate) data: String,
    /// The form of the answer, if it is JSON.
    pub(crate) form: Option<ResponseFormat>,
    /// Tokens of the answer, at most.
    pub(crate) max_tokens: u32,
}

/// The answer's text.
pub(crate) async fn ask(models: &Models, question: Question<'_>) -> Result<String, ChatError> {
    let request = ChatRequest {
        model: question.model.map(str::to_owned),
        messages: vec![Message::system(question.task), Message::user(question.data)],
        temperature: Some(0.0),
        max_tokens: Some(question.max_tokens),
        response_format: question.form,
        ..ChatRequest::default()
    };
    let (mut stream, mut text) = (models.chat(request), String::new());
    while let Some(delta) = stream.next().await {
        match delta? {
            Delta::Text(piece) => text.push_str(&piece),
            Delta::Done { finish_reason: FinishReason::Length, .. } => return Err(ChatError::Form("it is too long")),
            _ => {}
        }
        if text.len() > MAX_ANSWER {
            return Err(ChatError::Form("it is too long"));
        }
    }
    Ok(text.trim().to_owned())
}

/// The object in an answer. Some models put a fence of Markdown around it.
pub(crate) fn object(answer: &str) -> Result<serde_json::Map<String, Value>, ChatError> {
    let no_object = ChatError::Form("it is no JSON object");
    let Some(inner) = answer.find('{').zip(answer.rfind('}')).and_then(|(from, to)| answer.get(from..=to)) else {
        return Err(no_object);
    };
    match serde_json::from_str(inner) {
        Ok(Value::Object(object)) if !inner.contains("\\u0000") => Ok(object),
        _ => Err(no_object),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_in_its_fence() {
        let found = |answer: &str| object(answer).ok().map(Value::Object);
        assert_eq!(found("```json\n{\"a\": 1}\n```"), Some(serde_json::json!({"a": 1})));
        assert_eq!(found("{\"a\": {\"b\": 2}}"), Some(serde_json::json!({"a": {"b": 2}})));
        for none in ["", "no", "[1]", "{", "}{", "{\"a\": \"\\u0000\"}"] {
            assert_eq!(found(none), None, "{none}");
        }
    }
}
