//! The number that each embedding model has in this database. Chunks and memories name their models by it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use behalf_host_db::HostDb;

const FIND: &str = "select id, dims from ai.embedding_models where name = $1";
/// Refuses a model that has vectors of another size here.
const ADD: &str = "select behalf.add_embedding_model($1, $2)";

/// A model as this database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelNumber {
    /// Its number in `ai.embedding_models`.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// How many numbers a vector has.
    pub dims: u16,
}

/// The models of the table that this host asked for, by their names. A model keeps its number for ever.
#[derive(Debug, Default)]
pub struct ModelNumbers(Mutex<HashMap<String, ModelNumber>>);

impl ModelNumbers {
    /// A model; none where nothing has a vector of it.
    pub async fn find(&self, db: &HostDb, name: &str) -> Result<Option<ModelNumber>, sqlx::Error> {
        if let Some(known) = self.known(name) {
            return Ok(Some(known));
        }
        let mut tx = db.begin_as_host().await?;
        let found: Option<(i16, i32)> = sqlx::query_as(FIND).bind(name).fetch_optional(&mut *tx).await?;
        tx.commit().await?;
        Ok(found.and_then(|(number, dims)| self.remember(number, name, dims)))
    }

    /// A model, which gets its number now if it has none; none where its vectors have more numbers than `u16` can say.
    ///
    /// # Errors
    ///
    /// The database's; `22023` where the model has vectors of another size here.
    pub async fn add(&self, db: &HostDb, name: &str, dims: u32) -> Result<Option<ModelNumber>, sqlx::Error> {
        if let Some(known) = self.known(name) {
            return Ok(Some(known));
        }
        let dims = i32::try_from(dims).unwrap_or(i32::MAX);
        let mut tx = db.begin_as_host().await?;
        let number: i16 = sqlx::query_scalar(ADD).bind(name).bind(dims).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(self.remember(number, name, dims))
    }

    fn remember(&self, number: i16, name: &str, dims: i32) -> Option<ModelNumber> {
        let model = ModelNumber { number, name: name.to_owned(), dims: u16::try_from(dims).ok()? };
        self.lock().insert(name.to_owned(), model.clone());
        Some(model)
    }

    fn known(&self, name: &str) -> Option<ModelNumber> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, ModelNumber>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
