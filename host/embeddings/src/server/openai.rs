//! The protocol of models `openai/…`: `POST {base}/embeddings`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Target;
use crate::EmbeddingError;

pub(super) fn request(target: &Target<'_>, texts: &[String]) -> (&'static str, Value) {
    // Every server knows numbers; not every one knows base64. Answers are read in both.
    let mut body = json!({ "model": target.model, "input": texts, "encoding_format": "float" });
    if let (Some(dims), Some(body)) = (target.dimensions, body.as_object_mut()) {
        body.insert("dimensions".to_owned(), dims.into());
    }
    ("embeddings", body)
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Encoded,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Encoded {
    Numbers(Vec<f32>),
    /// Floats of four bytes, the lowest first, in base64.
    Text(String),
}

/// The vectors in the order of the texts.
pub(super) fn read(answer: &[u8], texts: usize) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    let answer: Answer =
        serde_json::from_slice(answer).map_err(|_| EmbeddingError::Answer("it is not that of the protocol"))?;
    if answer.data.len() != texts {
        return Err(EmbeddingError::Answer("it has another number of vectors than there are texts"));
    }
    let mut vectors = vec![None; texts];
    for (n, item) in answer.data.into_iter().enumerate() {
        let place = vectors.get_mut(item.index.unwrap_or(n)).filter(|place| place.is_none());
        let place = place.ok_or(EmbeddingError::Answer("it numbers its vectors wrongly"))?;
        *place = Some(item.embedding.numbers()?);
    }
    Ok(vectors.into_iter().flatten().collect())
}

impl Encoded {
    fn numbers(self) -> Result<Vec<f32>, EmbeddingError> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            Self::Text(text) => {
                let wrong = EmbeddingError::Answer("a vector is not base64 of floats");
                let bytes = BASE64_STANDARD.decode(text).map_err(|_| wrong.clone())?;
                let (floats, rest) = bytes.as_chunks();
                if rest.is_empty() { Ok(floats.iter().map(|x| f32::from_le_bytes(*x)).collect()) } else { Err(wrong) }
            }
        }
    }
}
