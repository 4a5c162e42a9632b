//! Vectors of texts, with the numbers that this database has for their models.

use std::fmt::Write as _;

use behalf_embeddings::{EmbeddingError, Purpose};

use crate::error::MemoriesError;
use crate::state::Memories;

/// The vector of a text, and the model that made it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vector {
    /// The model's number in `ai.embedding_models`.
    pub(crate) model: i16,
    /// Its numbers, as Postgres reads a vector.
    pub(crate) text: String,
}

impl Vector {
    /// The vector of a text by the default model.
    pub(crate) async fn of(memories: &Memories, purpose: Purpose, text: &str) -> Result<Self, MemoriesError> {
        let name = memories.embeddings.default_model();
        let texts = [text.to_owned()];
        let vectors = memories.embeddings.embed(name, purpose, &texts).await?;
        let numbers = vectors.into_iter().next().unwrap_or_default();
        let dims = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let model = memories.models.add(&memories.db, name, dims).await?;
        let model = model.ok_or(EmbeddingError::Answer("its vectors have too many numbers"))?;
        Ok(Self { model: model.number, text: literal(&numbers) })
    }
}

/// `[0.1,0.2]`.
fn literal(numbers: &[f32]) -> String {
    let mut text = String::with_capacity(numbers.len() * 12 + 2);
    text.push('[');
    for (place, number) in numbers.iter().enumerate() {
        let comma = if place > 0 { "," } else { "" };
        // Writing to a text does not fail.
        let _ = write!(text, "{comma}{number}");
    }
    text.push(']');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_written_as_postgres_reads_it() {
        assert_eq!(literal(&[0.5, -1.0, 1e-7]), "[0.5,-1,0.0000001]");
        assert_eq!(literal(&[]), "[]");
    }
}
