//! What the job reads and writes of its source. Every statement names the job, so that one that was replaced changes nothing.

use behalf_host_db::HostTx;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use super::outcome::{Fault, Outcome};
use super::spool::Batch;

/// A source, and the job that reads it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) source: Uuid,
    pub(super) job: Uuid,
}

/// The file of a source.
#[derive(Clone, Debug, FromRow)]
pub(super) struct SourceFile {
    pub(super) blob_id: Option<Uuid>,
    pub(super) size: Option<i64>,
    pub(super) content_hash: Option<String>,
    pub(super) content_type: Option<String>,
    pub(super) file_type: Option<String>,
}

const BEGIN: &str = "
    update ai.sources
    set extraction_status = 'extracting', pages = null, pages_done = 0, error_code = null, error_message = null,
        extracted_at = null, updated_at = now()
    where id = $1 and job_id = $2 and extraction_status in ('pending', 'extracting')
    returning blob_id, size, content_hash, content_type, file_type";

const PROGRESS: &str = "
    update ai.sources set pages = $3, pages_done = $4
    where id = $1 and job_id = $2 and extraction_status = 'extracting'";

const WANTED: &str = "
    select from ai.sources where id = $1 and job_id = $2 and extraction_status in ('pending', 'extracting') for update";

const END: &str = "
    update ai.sources
    set extraction_status = $3, error_code = $4, error_message = $5, auto_metadata = coalesce($6, auto_metadata),
        pages = $7, pages_done = $7, extracted_at = case when $3 = 'extracted' then now() end, updated_at = now()
    where id = $1 and job_id = $2 and extraction_status in ('pending', 'extracting')";

/// Marks the source as being read. None where it is gone, is over, or waits for another job.
pub(super) async fn begin(tx: &mut HostTx, target: Target) -> Result<Option<SourceFile>, sqlx::Error> {
    sqlx::query_as(BEGIN).bind(target.source).bind(target.job).fetch_optional(&mut **tx).await
}

/// Says how far reading is.
pub(super) async fn progress(
    tx: &mut HostTx,
    target: Target,
    pages: Option<i32>,
    done: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(PROGRESS).bind(target.source).bind(target.job).bind(pages).bind(done).execute(&mut **tx).await?;
    Ok(())
}

/// Whether the source still waits for this job. Locks its row.
pub(super) async fn is_wanted(tx: &mut HostTx, target: Target) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(WANTED).bind(target.source).bind(target.job).fetch_optional(&mut **tx).await?;
    Ok(row.is_some())
}

/// Removes the pages of an earlier reading.
pub(super) async fn remove_pages(tx: &mut HostTx, target: Target) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.source_pages where source_id = $1").bind(target.source).execute(&mut **tx).await?;
    Ok(())
}

/// Adds pages.
pub(super) async fn add_pages(tx: &mut HostTx, target: Target, batch: Batch) -> Result<(), sqlx::Error> {
    let Batch { numbers, names, texts } = batch;
    sqlx::query(
        "insert into ai.source_pages (source_id, page, name, text)
         select $1, added.page, added.name, added.text from unnest($2::int[], $3::text[], $4::text[]) as added (page, name, text)",
    )
    .bind(target.source)
    .bind(numbers)
    .bind(names)
    .bind(texts)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Sets how it ended, if the source still waits for this job.
pub(super) async fn end(tx: &mut HostTx, target: Target, outcome: &Outcome, pages: i32) -> Result<(), sqlx::Error> {
    let (status, fault, metadata, pages) = match outcome {
        Outcome::Extracted(metadata) => ("extracted", None, Some(metadata), Some(pages)),
        Outcome::OnlyPictures => {
            ("attention_required", Some(Fault::from(behalf_sandbox::Refusal::OnlyPictures)), None, None)
        }
        Outcome::Failed(fault) => ("failed", Some(*fault), None, None),
    };
    set_end(tx, target, status, fault, metadata, pages).await
}

/// Notes that nobody wants it read any more.
pub(super) async fn cancelled(tx: &mut HostTx, target: Target) -> Result<(), sqlx::Error> {
    set_end(tx, target, "cancelled", None, None, None).await
}

async fn set_end(
    tx: &mut HostTx,
    target: Target,
    status: &str,
    fault: Option<Fault>,
    metadata: Option<&Value>,
    pages: Option<i32>,
) -> Result<(), sqlx::Error> {
    sqlx::query(END)
        .bind(target.source)
        .bind(target.job)
        .bind(status)
        .bind(fault.map(|fault| fault.code))
        .bind(fault.map(|fault| fault.sentence))
        .bind(metadata)
        .bind(pages)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
