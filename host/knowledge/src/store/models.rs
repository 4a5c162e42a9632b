//! The embedding models of a base: which of them its sources were indexed with.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use behalf_contracts::ModelNumbers;
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

/// What a host remembers of models.
#[derive(Debug, Default)]
pub(crate) struct ModelTable {
    /// Their numbers.
    pub(crate) numbers: ModelNumbers,
    /// The models of a base's sources, and since when that is remembered.
    of_bases: Mutex<HashMap<Uuid, (Instant, Vec<String>)>>,
}

impl ModelTable {
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

    fn of_bases(&self) -> MutexGuard<'_, HashMap<Uuid, (Instant, Vec<String>)>> {
        self.of_bases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
