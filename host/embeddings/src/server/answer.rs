//! Bounds of what a server answers.

use futures::StreamExt as _;

use super::failure::transport;
use crate::EmbeddingError;
use crate::local::normalised;

/// Numbers of a vector, at most: what an index of the database can hold.
const MAX_DIMS: usize = 4_000;
/// Bytes of a vector as text, at most: a float in full, a comma and a space each.
const VECTOR_BYTES: usize = MAX_DIMS * 26;
/// Bytes of an answer besides its vectors, at most.
const OTHER_BYTES: usize = 64 * 1024;

/// The most bytes of an answer for so many texts.
pub(super) fn most_bytes(texts: usize) -> usize {
    OTHER_BYTES + texts * VECTOR_BYTES
}

/// The body, if it has no more than `most` bytes. Of a longer one, no more is read.
pub(super) async fn body(response: reqwest::Response, most: usize) -> Result<Vec<u8>, EmbeddingError> {
    const TOO_LARGE: EmbeddingError = EmbeddingError::Answer("it is larger than its vectors could be");
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(TOO_LARGE);
    }
    let (mut body, mut pieces) = (Vec::new(), response.bytes_stream());
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| transport(&error))?;
        if body.len() + piece.len() > most {
            return Err(TOO_LARGE);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// The vectors with the length 1, if each can be used.
pub(super) fn checked(
    vectors: Vec<Vec<f32>>,
    texts: usize,
    dimensions: Option<u32>,
) -> Result<Vec<Vec<f32>>, EmbeddingError> {
    if vectors.len() != texts {
        return Err(EmbeddingError::Answer("it has another number of vectors than there are texts"));
    }
    let dims = vectors.first().map_or(0, Vec::len);
    if dims == 0 {
        return Err(EmbeddingError::Answer("its vectors are empty"));
    }
    if dims > MAX_DIMS {
        return Err(EmbeddingError::Answer("its vectors have more than 4,000 numbers, which no index can hold"));
    }
    if vectors.iter().any(|vector| vector.len() != dims) {
        return Err(EmbeddingError::Answer("its vectors have different lengths"));
    }
    if dimensions.is_some_and(|wanted| wanted as usize != dims) {
        return Err(EmbeddingError::Answer("its vectors do not have the length that was asked for"));
    }
    let unusable = EmbeddingError::Answer("a vector is zero, or not made of finite numbers");
    vectors.into_iter().map(|vector| normalised(vector).ok_or_else(|| unusable.clone())).collect()
}
