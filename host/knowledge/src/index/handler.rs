//! One attempt to index a source.

use std::time::Duration;

use behalf_host_db::HostTx;
use behalf_queue::{Done, Ended, Failure, Handler, Job, JobLimits};
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::batch::Plan;
use super::record::{self, Begun, Made, Staged, Target, Work};
use super::{INDEX, fault, timed};
use crate::chunking::Page;
use crate::state::Knowledge;

/// How long one attempt may take. The next one goes on where it ended.
const DEADLINE: Duration = Duration::from_hours(1);

/// A server of models that had too much to do has time again soon.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// Bytes of a document's text. One of more is a list of data, which belongs into a table.
const MAX_BYTES: i64 = 64 * 1024 * 1024;

/// Indexes sources.
#[derive(Debug)]
pub struct IndexHandler {
    knowledge: Knowledge,
}

/// What the job is about.
#[derive(Deserialize)]
struct Payload {
    indexed_source_id: Uuid,
}

impl IndexHandler {
    /// Indexes what these knowledge bases have.
    pub fn new(knowledge: Knowledge) -> Self {
        Self { knowledge }
    }

    async fn attempt(&self, job: &Job) -> Result<Done, Failure> {
        let place = place_of(&job.payload).ok_or_else(|| fault::failed("The job names no source."))?;
        let target = Target { place, job: job.id.0 };
        let mut tx = job.begin().await?;
        let work = match record::begin(&mut tx, target).await? {
            Begun::Work(work) => work,
            Begun::Closed => {
                job.save(tx).await?;
                return Err(fault::failed("The knowledge base does not take this source any more."));
            }
            // It was taken out or cancelled, or a newer job indexes it: there is nothing to do.
            Begun::NotWanted => return job.finish(tx).await,
        };
        let is_too_large = work.bytes > MAX_BYTES;
        let pages = if is_too_large { Vec::new() } else { record::pages(&mut tx, work.source_id).await? };
        let staged = record::staged(&mut tx, target).await?;
        job.save(tx).await?;
        if is_too_large {
            return Err(fault::failed(format!("The document has more than {MAX_BYTES} bytes of text.")));
        }
        let made = tokio::select! {
            biased;
            _ = job.stopped() => return Err(Failure::Stopped),
            made = self.make(job, target, &work, (pages, staged)) => made?,
        };
        timed("store", store(job, target, &work, made.as_ref())).await
    }

    /// Makes and stages all chunks; none where nobody wants them any more.
    async fn make(
        &self,
        job: &Job,
        target: Target,
        work: &Work,
        (pages, staged): (Vec<Page>, Staged),
    ) -> Result<Option<Value>, Failure> {
        let plan = timed("cut", Plan::make(&self.knowledge, job, work, pages)).await?;
        let (mut done, total) = (plan.kept(&staged), plan.total());
        if done < staged.count {
            let mut tx = job.begin().await?;
            record::forget(&mut tx, target).await?;
            job.save(tx).await?;
        }
        while done < total {
            let made = plan.batch(&self.knowledge, job, done).await?;
            let count = made.drafts.len();
            if !timed("store", stage(job, target, &made, total)).await? {
                return Ok(None);
            }
            done += count;
            job.progress(done as u64, Some(total as u64)).await;
        }
        Ok(Some(plan.stats()))
    }
}

/// Keeps a batch until all are there. False where nobody wants them any more.
async fn stage(job: &Job, target: Target, made: &Made, total: usize) -> Result<bool, Failure> {
    let mut tx = job.begin().await?;
    if !record::is_wanted(&mut tx, target).await? {
        return Ok(false);
    }
    record::stage(&mut tx, target, made, total).await?;
    job.save(tx).await?;
    Ok(true)
}

/// Puts the chunks in the place of those of before, in the transaction that ends the job.
async fn store(job: &Job, target: Target, work: &Work, stats: Option<&Value>) -> Result<Done, Failure> {
    let mut tx = job.begin().await?;
    // Meanwhile it may have been taken out or cancelled, or a newer job indexes it: then these chunks are nobody's.
    if let Some(stats) = stats
        && record::is_wanted(&mut tx, target).await?
    {
        record::end(&mut tx, target, work, stats).await?;
    }
    job.finish(tx).await
}

impl Handler for IndexHandler {
    fn kind(&self) -> &'static str {
        INDEX
    }

    fn limits(&self) -> JobLimits {
        JobLimits { deadline: DEADLINE, first_wait: FIRST_WAIT, ..JobLimits::default() }
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(self.attempt(job))
    }

    fn gave_up<'a>(&'a self, tx: &'a mut HostTx, job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async move {
            let Some(place) = place_of(job.payload) else { return Ok(()) };
            let target = Target { place, job: job.id.0 };
            record::give_up(tx, target, job.is_cancelled, fault::sentence(job.code, job.message)).await
        })
    }
}

fn place_of(payload: &Value) -> Option<Uuid> {
    Payload::deserialize(payload).ok().map(|payload| payload.indexed_source_id)
}
