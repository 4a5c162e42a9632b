//! Indexes sources: one job for each place of a source in a base.
//!
//! A place names its job (`ai.indexed_sources.job_id`). A job writes only where the place still names it and is `pending` or `indexing`:
//! who cancels it, takes it out, has it indexed anew, or reads the source anew, changes one of the two, and the job that was under way
//! stores nothing any more. What a job makes waits in `behalf.staged_chunks`, batch by batch, so that another host goes on where one
//! was killed. The transaction that ends the job puts it in the place of the chunks of before: a search sees all of the one or all of
//! the other.

mod batch;
mod chat;
mod fault;
mod handler;
mod record;
mod vectors;
mod wanted;

use std::time::Duration;

use behalf_queue::{NewJob, Workers};
use serde_json::json;
use uuid::Uuid;

use crate::state::Knowledge;

pub use handler::IndexHandler;

pub(crate) use chat::{ChatError, Question, ask, object};

/// The places of jobs that index sources.
pub const INDEXING_LANE: &str = "indexing";

/// The job that indexes a source.
const INDEX: &str = "knowledge.index";

/// A second attempt goes on where the first one ended, so each brings the job nearer to its end.
const ATTEMPTS: u32 = 8;

/// How often hosts look for sources that were read anew.
const LOOK_FOR_WANTED: Duration = Duration::from_secs(3);
/// How often hosts look for chunks without a vector, which SQL added.
const LOOK_FOR_CHUNKS: Duration = Duration::from_secs(5);

/// The job that indexes a place. What it needs to know is in the rows, so that the job gives nobody anything to read.
pub(crate) fn job_of(place: Uuid) -> NewJob<'static> {
    let payload = json!({ "indexed_source_id": place });
    let (lane, kind, max_attempts) = (INDEXING_LANE, INDEX, ATTEMPTS);
    NewJob { lane, kind, unique_key: None, payload, max_attempts, delay: Duration::ZERO }
}

/// Lets `workers` index sources, and look for what is to be indexed that no request was about.
pub(crate) fn add_to(knowledge: &Knowledge, workers: &mut Workers) {
    workers.handle(IndexHandler::new(knowledge.clone()));
    let of_wanted = knowledge.clone();
    workers.every("knowledge-wanted", LOOK_FOR_WANTED, move || {
        let knowledge = of_wanted.clone();
        async move { wanted::add_jobs(&knowledge).await }
    });
    let of_chunks = knowledge.clone();
    workers.every("knowledge-vectors", LOOK_FOR_CHUNKS, move || {
        let knowledge = of_chunks.clone();
        async move { vectors::embed_chunks(&knowledge).await }
    });
}
