//! The protocol of Ollama: `POST {base}/api/embed`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Target;
use crate::EmbeddingError;

pub(super) fn request(target: &Target<'_>, texts: &[String]) -> (&'static str, Value) {
    // As the local model does, texts that are too long are cut.
    let mut body = json!({ "model": target.model, "input": texts, "truncate": true });
    if let (Some(dims), Some(body)) = (target.dimensions, body.as_object_mut()) {
        body.insert("dimensions".to_owned(), dims.into());
    }
    ("api/embed", body)
}

#[derive(Deserialize)]
struct Answer {
    embeddings: Vec<Vec<f32>>,
}

pub(super) fn read(answer: &[u8]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    let answer: Answer =
        serde_json::from_slice(answer).map_err(|_| EmbeddingError::Answer("it is not that of the protocol"))?;
    Ok(answer.embeddings)
}
