//! Knowledge bases: the embedding models of the settings, and the feature put together.

use std::sync::Arc;

use behalf_caller_db::CallerDb;
use behalf_config::{ConfigError, Settings};
use behalf_embeddings::Embeddings;
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_knowledge::{GuestKnowledge, INDEXING_LANE, Knowledge, KnowledgeParts};
use behalf_models::Models;
use behalf_queue::{LaneOptions, Workers};
use behalf_sandbox::{KnowledgeSearch, LateSlot};
use behalf_web::Web;

use super::embeddings::embedding_options;

/// Sources that are indexed at the same time on one host, and of one owner. Most of the time a job waits for the embedding model, which
/// takes what waits in one order, so more jobs at once are no faster.
const PLACES: usize = 4;
const PER_OWNER: u32 = 2;

/// What is made of the settings alone.
pub(crate) struct KnowledgePlan {
    /// The embedding models.
    pub(super) embeddings: Embeddings,
}

impl KnowledgePlan {
    /// Reads the settings. No model is loaded yet.
    pub(super) fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let embeddings =
            Embeddings::new(embedding_options(settings)).map_err(|error| ConfigError::Value(error.to_string()))?;
        Ok(Self { embeddings })
    }
}

/// Puts the feature together, lets `workers` index sources, and lets tools search.
pub(super) fn start(
    plan: KnowledgePlan,
    (web, host_db, caller_db): (&Web, &HostDb, &CallerDb),
    models: &Models,
    tools: &LateSlot<dyn KnowledgeSearch>,
    (jobs, workers): (&Jobs, &mut Workers),
) -> Knowledge {
    let parts = KnowledgeParts {
        web: web.clone(),
        db: host_db.clone(),
        caller_db: caller_db.clone(),
        queue: workers.queue().clone(),
        embeddings: plan.embeddings,
        models: models.clone(),
    };
    let knowledge = Knowledge::new(parts);
    workers.lane(LaneOptions { name: INDEXING_LANE, places: PLACES, per_owner: PER_OWNER });
    knowledge.add_jobs_to(workers, jobs);
    tools.fill(Arc::new(GuestKnowledge::new(Arc::new(knowledge.clone()))));
    knowledge
}
