//! One attempt to read a document.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_blobs::{BlobId, Blobs};
use behalf_host_db::HostTx;
use behalf_problem::LogText as _;
use behalf_queue::{Done, Ended, Failure, Handler, Job, JobLimits};
use behalf_sandbox::{DocumentReader, Page, ReadFailure, ReaderError, Refusal, Sandbox};
use behalf_telemetry::metric;
use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::copy::{Expected, copied, unnamed};
use super::ocr::{Ocr, OcrError};
use super::options::ExtractOptions;
use super::outcome::{self, Fault, OCR_FAILED, Outcome, UNREADABLE_BYTES};
use super::picture::is_picture;
use super::record::{self, SourceFile, Target};
use super::spool::{Batches, Spool};
use crate::work;

/// How long one attempt may take: to get the file, to wait for a place, to read it, and to store its text.
const DEADLINE: Duration = Duration::from_mins(20);
/// Pages that wait to be kept; the reader waits where there are more.
const PAGES_AHEAD: usize = 8;
/// How often the row says how far it is.
const BETWEEN_REPORTS: Duration = Duration::from_secs(1);

/// Reads documents of sources.
#[derive(Debug)]
pub struct ExtractHandler {
    reader: Arc<DocumentReader>,
    blobs: Blobs,
    ocr: Option<Ocr>,
    folder: PathBuf,
    max_bytes: u64,
}

/// What the job is about.
#[derive(Deserialize)]
struct Payload {
    source_id: Uuid,
}

impl ExtractHandler {
    /// Reads files from `blobs` with `reader`. Requests to a server that reads pictures are sent by `sandbox`.
    pub fn new(reader: Arc<DocumentReader>, blobs: Blobs, sandbox: Arc<Sandbox>, options: ExtractOptions) -> Self {
        let ExtractOptions { folder, max_bytes, ocr } = options;
        let ocr = ocr.map(|options| Ocr { options, sandbox });
        Self { reader, blobs, ocr, folder, max_bytes }
    }

    async fn attempt(&self, job: &Job) -> Result<Done, Failure> {
        let source = source_of(&job.payload).ok_or_else(no_source)?;
        let target = Target { source, job: job.id.0 };
        let mut tx = job.begin().await?;
        let Some(source) = record::begin(&mut tx, target).await? else {
            // It was deleted or cancelled, or a newer job reads it: there is nothing to do.
            return job.finish(tx).await;
        };
        job.save(tx).await?;
        let began = Instant::now();
        let read = tokio::select! {
            biased;
            _ = job.stopped() => return Err(Failure::Stopped),
            read = self.read(job, target, &source) => read?,
        };
        store(job, target, read, began.elapsed()).await
    }

    /// Reads the document. Nothing of it is in the database yet.
    async fn read(&self, job: &Job, target: Target, source: &SourceFile) -> Result<Read, Failure> {
        let file = match self.copy(source).await? {
            Ok(file) => file,
            Err(fault) => return Ok(Read::without_pages(Outcome::Failed(fault))),
        };
        let again = file.try_clone().map_err(Failure::retry)?;
        let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
        let extension = source.file_type.as_deref().unwrap_or_default();
        let reading = self.reader.read(file, extension, sender, job.stop_token());
        let (read, spool) = tokio::join!(reading, self.spool(job, target, receiver));
        let outcome = match read {
            // Without its spool the reading was stopped.
            Err(ReadFailure::Stopped) => return Err(spool.err().unwrap_or(Failure::Stopped)),
            Ok(summary) => Outcome::Extracted(outcome::metadata(&summary)),
            Err(ReadFailure::Document(Refusal::UnknownFormat)) if is_picture(&again) => Outcome::OnlyPictures,
            Err(ReadFailure::Document(refusal)) => refusal.into(),
            Err(ReadFailure::Host(error)) => Self::host_failed(job, error)?,
        };
        match outcome {
            Outcome::Extracted(_) => {
                let (spool, pages) = spool?;
                Ok(Read { outcome, pages, batches: Some(spool.finish().await?) })
            }
            Outcome::OnlyPictures => self.read_pictures(job, again, source).await,
            Outcome::Failed(_) => Ok(Read::without_pages(outcome)),
        }
    }

    async fn copy(&self, source: &SourceFile) -> Result<Result<File, Fault>, Failure> {
        let Some(blob) = source.blob_id else { return Ok(Err(outcome::FILE_GONE)) };
        let blob: BlobId = blob.to_string().parse().map_err(Failure::retry)?;
        let expected = Expected {
            size: source.size.and_then(|size| size.try_into().ok()),
            hash: source.content_hash.as_deref(),
            most: self.max_bytes,
        };
        copied(self.blobs.read(blob, None).await, &self.folder, expected).await
    }

    /// Keeps pages until all are there, and says how far it is.
    async fn spool(&self, job: &Job, target: Target, mut pages: mpsc::Receiver<Page>) -> Result<(Spool, i32), Failure> {
        let mut spool = Spool::new(unnamed(&self.folder).await?);
        let (mut done, mut reported) = (0, Instant::now());
        while let Some(page) = pages.recv().await {
            let (number, total) = (page.number, page.total);
            spool.add(page).await?;
            done = i32::try_from(number).unwrap_or(i32::MAX);
            if reported.elapsed() >= BETWEEN_REPORTS {
                reported = Instant::now();
                job.progress(number.into(), total.map(u64::from)).await;
                report(job, target, total, done).await?;
            }
        }
        Ok((spool, done))
    }

    /// What the host's own parts did is tried again. If it is so each time, the source says it in one of its own words.
    fn host_failed(job: &Job, error: ReaderError) -> Result<Outcome, Failure> {
        let is_last = job.is_last_attempt;
        match error {
            ReaderError::TooSlow(_) if is_last => Ok(Refusal::Deadline.into()),
            ReaderError::File(_) if is_last => Ok(Outcome::Failed(UNREADABLE_BYTES)),
            error => Err(Failure::retry(error)),
        }
    }

    /// Has pictures read where there is a server for that.
    async fn read_pictures(&self, job: &Job, file: File, source: &SourceFile) -> Result<Read, Failure> {
        let none = || Read::without_pages(Outcome::OnlyPictures);
        let Some(ocr) = &self.ocr else { return Ok(none()) };
        let pages = match ocr.read(file, source.content_type.as_deref()).await {
            Ok(pages) => pages,
            Err(error) if error.is_final() => {
                warn(job, &error);
                return Ok(none());
            }
            Err(error) if job.is_last_attempt => {
                warn(job, &error);
                return Ok(Read::without_pages(Outcome::Failed(OCR_FAILED)));
            }
            Err(error) => return Err(error.into()),
        };
        let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
        if pages.is_empty() {
            return Ok(none());
        }
        let mut spool = Spool::new(unnamed(&self.folder).await?);
        for page in pages {
            spool.add(page).await?;
        }
        let metadata = json!({ "pages": count, "read_by": "ocr", "format": source.file_type });
        Ok(Read { outcome: Outcome::Extracted(metadata), pages: count, batches: Some(spool.finish().await?) })
    }
}

fn warn(job: &Job, error: &OcrError) {
    tracing::warn!(job.id = %job.id, error = error.log_text(), "a server that reads pictures gave no text");
}

/// A document that was read.
struct Read {
    outcome: Outcome,
    pages: i32,
    batches: Option<Batches>,
}

impl Read {
    fn without_pages(outcome: Outcome) -> Self {
        Self { outcome, pages: 0, batches: None }
    }
}

/// Says in the row how far it is. A database that does not answer now may answer when the text is stored.
async fn report(job: &Job, target: Target, total: Option<u32>, done: i32) -> Result<(), Failure> {
    let saved = async {
        let mut tx = job.begin().await?;
        let total = total.and_then(|total| i32::try_from(total).ok());
        record::progress(&mut tx, target, total, done).await?;
        job.save(tx).await
    };
    match saved.await {
        Err(Failure::Stopped) => Err(Failure::Stopped),
        _ => Ok(()),
    }
}

/// Stores how it ended, with all pages, in the transaction that ends the job. Without new pages those of an earlier reading stay.
async fn store(job: &Job, target: Target, read: Read, took: Duration) -> Result<Done, Failure> {
    let mut tx = job.begin().await?;
    // Meanwhile it may have been deleted or cancelled, or a newer job reads it: then these pages are nobody's.
    let is_wanted = record::is_wanted(&mut tx, target).await?;
    if is_wanted {
        if let Some(mut batches) = read.batches {
            record::remove_pages(&mut tx, target).await?;
            while let Some(batch) = batches.next().await? {
                record::add_pages(&mut tx, target, batch).await?;
            }
        }
        record::end(&mut tx, target, &read.outcome, read.pages).await?;
    }
    let done = job.finish(tx).await?;
    if is_wanted {
        metric::document_ended(read.outcome.word());
        metric::document_read(u64::try_from(read.pages).unwrap_or_default(), took);
    }
    Ok(done)
}

impl Handler for ExtractHandler {
    fn kind(&self) -> &'static str {
        work::EXTRACT
    }

    fn limits(&self) -> JobLimits {
        JobLimits { deadline: DEADLINE, ..JobLimits::default() }
    }

    fn run<'a>(&'a self, job: &'a Job) -> BoxFuture<'a, Result<Done, Failure>> {
        Box::pin(self.attempt(job))
    }

    fn gave_up<'a>(&'a self, tx: &'a mut HostTx, job: &'a Ended<'a>) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        Box::pin(async move {
            let Some(source) = source_of(job.payload) else { return Ok(()) };
            let target = Target { source, job: job.id.0 };
            if job.is_cancelled {
                record::cancelled(tx, target).await?;
                metric::document_ended("cancelled");
            } else {
                let outcome = Outcome::Failed(outcome::of_job(job.code));
                record::end(tx, target, &outcome, 0).await?;
                metric::document_ended(outcome.word());
            }
            Ok(())
        })
    }
}

fn no_source() -> Failure {
    Failure::Final { code: "payload", message: "The job names no source.".to_owned() }
}

fn source_of(payload: &Value) -> Option<Uuid> {
    Payload::deserialize(payload).ok().map(|payload| payload.source_id)
}
