//! The table `ai.embedding_models`: the number that each model has in this database.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use behalf_host_db::HostDb;
use uuid::Uuid;

/// How long a host remembers which models the sources of a base were indexed with, beside the one that the base names. A search misses a
/// model only where the base was given two others within this time, at another host.
const KEPT: Duration = Duration::from_secs(2);

/// Bases that are remembered, at most.
const MAX_BASES: usize = 10_000;

/// Models of one base that a search looks at. A base has two while it goes from one to the other.
const MAX_MODELS: i64 = 4;

const OF_BASE: &str = "
    select distinct i.indexing_config_snapshot ->> 'embedding_model' as name from ai.indexed_sources i
    where i.knowledge_base_id = $1 and i.indexing_config_snapshot ->> 'embedding_model' is not null limit $2";

/// A model as this database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelNumber {
    /// Its number.
    pub(crate) number: i16,
    /// Its name.
    pub(crate) name: String,
    /// How many numbers a vector has.
    pub(crate) dims: u16,
}

/// What a host remembers of the table. A number never changes.
#[derive(Debug)]
pub(crate) struct ModelTable {
    /// Models by their names.
    pub(crate) numbers: Mutex<HashMap<String, ModelNumber>>,
    /// The models of a base's sources, and since when that is remembered.
    pub(crate) of_bases: Mutex<HashMap<Uuid, (Instant, Vec<String>)>>,
}

impl ModelTable {
    /// A model; none where no chunk has a vector of it.
    pub(crate) async fn find(&self, db: &HostDb, name: &str) -> Result<Option<ModelNumber>, sqlx::Error> {
        if let Some(known) = self.known().get(name) {
            return Ok(Some(known.clone()));
        }
        let mut tx = db.begin_as_host().await?;
        let found: Option<(i16, i32)> = sqlx::query_as("select id, dims from ai.embedding_models where name = $1")
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(found.and_then(|(number, dims)| self.remember(number, name, dims)))
    }

    /// A model, which gets its number now if it has none.
    pub(crate) async fn add(&self, db: &HostDb, name: &str, dims: u32) -> Result<Option<ModelNumber>, sqlx::Error> {
        if let Some(known) = self.known().get(name) {
            return Ok(Some(known.clone()));
        }
        let dims = i32::try_from(dims).unwrap_or(i32::MAX);
        let mut tx = db.begin_as_host().await?;
        let number: i16 = sqlx::query_scalar("select behalf.add_embedding_model($1, $2)")
            .bind(name)
            .bind(dims)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(self.remember(number, name, dims))
    }

    /// The models that the sources of a base were indexed with, as far as any were.
    pub(crate) async fn of_base(&self, db: &HostDb, base: Uuid) -> Result<Vec<String>, sqlx::Error> {
        let remembered =
            self.of_bases().get(&base).filter(|(since, _)| since.elapsed() < KEPT).map(|(_, all)| all.clone());
        if let Some(remembered) = remembered {
            return Ok(remembered);
        }
        let mut tx = db.begin_as_host().await?;
        let found: Vec<String> = sqlx::query_scalar(OF_BASE).bind(base).bind(MAX_MODELS).fetch_all(&mut *tx).await?;
        tx.commit().await?;
        if found.is_empty() {
            return Ok(found);
        }
        let mut of_bases = self.of_bases();
        if of_bases.len() >= MAX_BASES {
            of_bases.clear();
        }
        of_bases.insert(base, (Instant::now(), found.clone()));
        Ok(found)
    }

    /// Looks anew at the next search.
    pub(crate) fn forget(&self, base: Uuid) {
        self.of_bases().remove(&base);
    }

    fn remember(&self, number: i16, name: &str, dims: i32) -> Option<ModelNumber> {
        let model = ModelNumber { number, name: name.to_owned(), dims: u16::try_from(dims).ok()? };
        self.known().insert(name.to_owned(), model.clone());
        Some(model)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, ModelNumber>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_bases(&self) -> MutexGuard<'_, HashMap<Uuid, (Instant, Vec<String>)>> {
        self.of_bases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
