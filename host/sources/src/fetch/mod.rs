//! Fetches documents from other servers: the job `sources.fetch`.
//!
//! The address goes through the one door from a name to an address (`behalf_sandbox::Outbound`): it is looked up once, every address
//! is checked, and each redirect as well. The bytes stream into the store, as many as a file may have.

mod address;
mod error;
mod file;
mod sitemap;
mod sitemap_xml;

use std::time::{Duration, Instant};

use behalf_host_db::HostTx;
use behalf_queue::{Done, Ended, Failure, Handler, Job, JobLimits};
use behalf_telemetry::metric;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::Deserialize as _;
use uuid::Uuid;

use crate::file_type::FileType;
use crate::state::Sources;
use crate::store::job::{self as rows, FetchedFile, Payload, ToFetch};
use crate::upload::{Taken, storage_path};
use crate::work;

pub(crate) use address::Address;
use error::FetchError;
pub(crate) use sitemap::pages as pages_of_site;

/// How long a server may take for a whole file.
const DEADLINE: Duration = Duration::from_mins(2);

/// Fetches the files of sources that name an address.
#[derive(Debug)]
pub struct FetchHandler {
    sources: Sources,
}

impl FetchHandler {
    /// Fetches through the sandbox's way out.
    pub fn new(sources: Sources) -> Self {
        Self { sources }
    }

    async fn work(&self, job: &Job) -> Result<Done, Failure> {
        let payload = Payload::deserialize(&job.payload).map_err(Failure::retry)?;
        let mut tx = job.begin().await?;
        let Some(source) = rows::begin_fetch(&mut tx, payload.source_id, job.id).await? else {
            // The source is gone, cancelled or has another job: there is nothing left to do.
            return job.finish(tx).await;
        };
        job.save(tx).await?;
        let fetched = tokio::select! {
            _ = job.stopped() => return Err(Failure::Stopped),
            fetched = self.fetch(payload.source_id, &source) => fetched,
        };
        let (taken, file_type) = fetched.map_err(|error| failed(error, job.is_last_attempt))?;
        self.keep(job, (payload.source_id, &source.name), taken, file_type).await
    }

    async fn fetch(&self, id: Uuid, source: &ToFetch) -> Result<(Taken, FileType), FetchError> {
        let url = source.url.as_deref().ok_or(FetchError::Address)?;
        let address = Address::parse(url).map_err(|_| FetchError::Address)?;
        let outbound = self.sources.sandbox.outbound(Instant::now() + DEADLINE, self.sources.options.max_bytes);
        file::fetch(&self.sources, &outbound, id, &address).await
    }

    /// Gives the source its file, and adds the job that reads it.
    async fn keep(
        &self,
        job: &Job,
        (id, name): (Uuid, &str),
        taken: Taken,
        file_type: FileType,
    ) -> Result<Done, Failure> {
        let file = FetchedFile {
            file_type: file_type.extension(),
            content_type: file_type.content_type(),
            storage_path: storage_path(id, name, &taken.hash, file_type),
            size: taken.rows_size(),
            content_hash: taken.hash.clone(),
            blob_id: taken.blob.id().to_string(),
        };
        let mut tx = job.begin().await?;
        match rows::keep_file(&mut tx, id, job.id, &file).await {
            Ok(true) => {}
            Ok(false) => return job.finish(tx).await,
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(failed(FetchError::Duplicate, true));
            }
            Err(error) => return Err(error.into()),
        }
        let next = work::add_extract(&self.sources, &mut tx, job.principal()?, id).await?;
        rows::name_job(&mut tx, id, next).await?;
        let done = job.finish(tx).await?;
        taken.blob.keep();
        metric::document_fetched("fetched");
        Ok(done)
    }
}

/// What the job is told, counted where no other attempt follows.
fn failed(error: FetchError, is_last: bool) -> Failure {
    let failure = error.into_failure(is_last);
    if let Failure::Final { code, .. } = &failure {
        metric::document_fetched(code);
    }
    failure
}

impl Handler for FetchHandler {
    fn kind(&self) -> &'static str {
        work::FETCH
    }

    fn limits(&self) -> JobLimits {
        JobLimits {
            deadline: DEADLINE + Duration::from_secs(30),
            first_wait: Duration::from_secs(5),
            longest_wait: Duration::from_mins(1),
        }
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        self.work(job).boxed()
    }

    fn gave_up<'a>(&'a self, tx: &'a mut HostTx, job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        rows::gave_up(tx, job).boxed()
    }
}
