//! Knowledge bases: which sources they have, how these are indexed, and search as the caller. `/api/knowledge-bases`.
//!
//! Owns the tables `ai.knowledge_bases`, `ai.indexed_sources`, `ai.chunks` and `ai.embedding_models`, their routes, and the jobs that
//! index sources. What is read for a caller runs as that caller (`CallerDb::run_fixed`), under the app's policies; what is written runs
//! in the owner's name (`HostDb::begin`). Vectors are made by `behalf-embeddings`, jobs are in `behalf-queue`, and chat models in
//! `behalf-models`. Imports foundations only. Never does: show or count a chunk that the caller's policies hide; store what a job made
//! after its source was taken out, read anew, or given another job (`index`).

mod base;
mod chunking;
mod config;
mod error;
mod guests;
mod index;
mod retrieval;
mod routes;
mod search;
mod state;
mod store;
mod tree;

use behalf_jobs::Jobs;
use behalf_queue::Workers;

pub use guests::GuestKnowledge;
pub use index::{INDEXING_LANE, IndexHandler};
pub use routes::routes;
pub use search::{MeasuredSearch, RerankOptions, Reranker};
pub use state::{Knowledge, KnowledgeParts};

impl Knowledge {
    /// Lets `workers` do the jobs of knowledge bases, and begins to look for those that no request adds.
    pub fn add_jobs_to(&self, workers: &mut Workers, jobs: &Jobs) {
        index::add_to(self, workers, jobs);
    }
}
