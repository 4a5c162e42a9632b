//! What jobs write about their source: only while the source still names the job, and waits or is under way.

use behalf_host_db::HostTx;
use behalf_queue::{Ended, JobId};
use serde::Deserialize;
use sqlx::FromRow;
use uuid::Uuid;

use crate::metadata::SOURCE_URL;

/// A job that failed for good may be begun again by an operator; its source still names it.
const BEGIN: &str = "
    update ai.sources set extraction_status = 'extracting', error_code = null, error_message = null, updated_at = now()
    where id = $1 and job_id = $2 and extraction_status in ('pending', 'extracting', 'failed')
    returning name, metadata ->> $3 as url";

const KEEP_FILE: &str = "
    update ai.sources
    set extraction_status = 'pending', file_type = $3, content_type = $4, storage_path = $5, size = $6, content_hash = $7,
        blob_id = $8::text::uuid, job_id = null, updated_at = now()
    where id = $1 and job_id = $2 and extraction_status = 'extracting'";

const NAME_JOB: &str = "update ai.sources set job_id = $2 where id = $1";

const GIVE_UP: &str = "
    update ai.sources
    set extraction_status = case when $3 then 'cancelled' else 'failed' end, updated_at = now(),
        error_code = case when $3 then null else $4 end, error_message = case when $3 then null else $5 end
    where id = $1 and job_id = $2 and extraction_status in ('pending', 'extracting')";

/// What the payload of a job names.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Payload {
    /// The source.
    pub(crate) source_id: Uuid,
}

/// A source that is to be fetched.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct ToFetch {
    /// Its name.
    pub(crate) name: String,
    /// Its address.
    pub(crate) url: Option<String>,
}

/// A file that was fetched.
#[derive(Clone, Debug)]
pub(crate) struct FetchedFile {
    /// The end of its name.
    pub(crate) file_type: &'static str,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// A name for it.
    pub(crate) storage_path: String,
    /// Its bytes.
    pub(crate) size: i64,
    /// Their SHA-256 in hex.
    pub(crate) content_hash: String,
    /// The id of the bytes.
    pub(crate) blob_id: String,
}

/// Begins to fetch a source; none where that is no longer wanted.
pub(crate) async fn begin_fetch(tx: &mut HostTx, source: Uuid, job: JobId) -> Result<Option<ToFetch>, sqlx::Error> {
    sqlx::query_as(BEGIN).bind(source).bind(job).bind(SOURCE_URL).fetch_optional(&mut **tx).await
}

/// Gives a source the file that was fetched for it, and no job yet. False where that is no longer wanted.
pub(crate) async fn keep_file(
    tx: &mut HostTx,
    source: Uuid,
    job: JobId,
    file: &FetchedFile,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(KEEP_FILE)
        .bind(source)
        .bind(job)
        .bind(file.file_type)
        .bind(file.content_type)
        .bind(&file.storage_path)
        .bind(file.size)
        .bind(&file.content_hash)
        .bind(&file.blob_id)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Says which job works on a source.
pub(crate) async fn name_job(tx: &mut HostTx, source: Uuid, job: JobId) -> Result<(), sqlx::Error> {
    sqlx::query(NAME_JOB).bind(source).bind(job).execute(&mut **tx).await.map(drop)
}

/// Notes that the job of a source ended without success.
pub(crate) async fn gave_up(tx: &mut HostTx, job: &Ended<'_>) -> Result<(), sqlx::Error> {
    // A payload that cannot be read names no source.
    let Ok(Payload { source_id }) = Payload::deserialize(job.payload) else { return Ok(()) };
    sqlx::query(GIVE_UP)
        .bind(source_id)
        .bind(job.id)
        .bind(job.is_cancelled)
        .bind(job.code)
        .bind(job.message)
        .execute(&mut **tx)
        .await
        .map(drop)
}
