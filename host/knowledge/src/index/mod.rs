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

use std::time::{Duration, Instant};

use behalf_jobs::{Jobs, Next};
use behalf_queue::{NewJob, Workers};
use behalf_telemetry::metric;
use serde_json::json;
use uuid::Uuid;

use crate::state::Knowledge;

pub use handler::IndexHandler;

use vectors::VectorsHandler;

pub(crate) use chat::{ChatError, Question, ask, object};

/// The places of jobs that index sources.
pub const INDEXING_LANE: &str = "indexing";

/// The job that indexes a source.
const INDEX: &str = "knowledge.index";

/// A second attempt goes on where the first one ended, so each brings the job nearer to its end.
const ATTEMPTS: u32 = 8;

/// How often a host looks for sources that were read anew.
const LOOK_FOR_WANTED: Duration = Duration::from_secs(2);
/// How often a host looks for chunks without a vector, which SQL added.
const LOOK_FOR_CHUNKS: Duration = Duration::from_secs(2);

/// Does a part of the work on a source, and records how long it took.
async fn timed<T>(part: &'static str, work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    metric::source_indexed(part, began.elapsed());
    done
}

/// The job that indexes a place. What it needs to know is in the rows, so that the job gives nobody anything to read.
pub(crate) fn job_of(place: Uuid) -> NewJob<'static> {
    let payload = json!({ "indexed_source_id": place });
    let (lane, kind, max_attempts) = (INDEXING_LANE, INDEX, ATTEMPTS);
    NewJob { lane, kind, unique_key: None, payload, max_attempts, delay: Duration::ZERO }
}

/// Lets `workers` index sources, and begins to look for what is to be indexed that no request was about. Each host looks, which costs one
/// statement; what is found becomes a job, which one host does.
pub(crate) fn add_to(knowledge: &Knowledge, workers: &mut Workers, jobs: &Jobs) {
    workers.handle(IndexHandler::new(knowledge.clone()));
    workers.handle(VectorsHandler::new(knowledge.clone()));
    let of_wanted = knowledge.clone();
    jobs.every("knowledge-wanted", LOOK_FOR_WANTED, move || {
        let knowledge = of_wanted.clone();
        async move { wanted::add_jobs(&knowledge).await.map(|()| Next::Continue) }
    });
    let of_chunks = knowledge.clone();
    jobs.every("knowledge-vectors", LOOK_FOR_CHUNKS, move || {
        let knowledge = of_chunks.clone();
        async move { vectors::add_job(&knowledge).await.map(|()| Next::Continue) }
    });
}
