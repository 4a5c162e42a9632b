//! Vectors of texts, and the numbers that this database has for their models.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

use behalf_embeddings::Purpose;

use crate::error::MemoriesError;
use crate::state::Memories;

const ADD: &str = "select behalf.add_embedding_model($1, $2)";

/// The number of each model that was asked for. A model keeps its number for ever.
#[derive(Debug, Default)]
pub(crate) struct ModelNumbers(Mutex<HashMap<String, i16>>);

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
        let model = number(memories, name, numbers.len()).await?;
        Ok(Self { model, text: literal(&numbers) })
    }
}

async fn number(memories: &Memories, name: &str, dims: usize) -> Result<i16, MemoriesError> {
    if let Some(number) = memories.models.0.lock().unwrap_or_else(PoisonError::into_inner).get(name) {
        return Ok(*number);
    }
    let dims = i32::try_from(dims).unwrap_or(i32::MAX);
    let mut tx = memories.db.begin_as_host().await?;
    let number: i16 = sqlx::query_scalar(ADD).bind(name).bind(dims).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    memories.models.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), number);
    Ok(number)
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
