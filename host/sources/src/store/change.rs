//! Changes sources that are the caller's own. Where the caller has none of that id, there is none.

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use behalf_queue::JobId;
use serde_json::{Map, Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use super::job::name_job;
use super::read::parse;
use super::{again, audit, new, source_json};
use crate::error::SourceError;
use crate::metadata::{RESERVED, SOURCE_URL};
use crate::source::{Source, Status};
use crate::state::Sources;
use crate::work;

/// What the host keeps in the metadata stays.
const CHANGE: &str = concat!(
    "update ai.sources s set name = coalesce($2, s.name), updated_at = now(),
         metadata = case when $3::jsonb is null then s.metadata else $3::jsonb || coalesce(
             (select jsonb_object_agg(kept.key, kept.value)
              from jsonb_each(case when jsonb_typeof(s.metadata) = 'object' then s.metadata else '{}' end) kept
              where kept.key = any($4)), '{}') end
     where s.id = $1 returning ",
    source_json!()
);

const LOCK: &str = "
    select extraction_status, job_id, blob_id is not null as has_file, content_hash,
           jsonb_typeof(metadata) = 'object' and metadata ? $2 as has_url
    from ai.sources where id = $1 for update";

const CANCEL: &str = "
    update ai.sources set extraction_status = 'cancelled', updated_at = now(), error_code = null, error_message = null where id = $1";

/// The pages that were read before stay until there are others. The job is added after this, and named then: whoever adds a source
/// waits for the same rows in the same order.
const READ_ANEW: &str = "
    update ai.sources
    set extraction_status = 'pending', job_id = null, pages = null, pages_done = null, error_code = null, error_message = null,
        updated_at = now()
    where id = $1";

/// What a source is, as far as its changes depend on it. Its row is locked.
#[derive(Debug, FromRow)]
struct Locked {
    extraction_status: String,
    job_id: Option<Uuid>,
    has_file: bool,
    content_hash: Option<String>,
    has_url: bool,
}

impl Locked {
    /// A status that is not known is left alone.
    fn is_over(&self) -> bool {
        Status::of_text(&self.extraction_status).is_some_and(Status::is_over)
    }
}

/// What to change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    /// Another name.
    pub(crate) name: Option<String>,
    /// Other metadata of the app's.
    pub(crate) metadata: Option<Map<String, Value>>,
}

/// Changes a source, and returns it.
pub(crate) async fn change(
    sources: &Sources,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
    change: &Change,
) -> Result<Source, SourceError> {
    let mut tx = sources.db.begin(principal).await?;
    let changed: Option<String> = sqlx::query_scalar(CHANGE)
        .bind(id)
        .bind(&change.name)
        .bind(change.metadata.clone().map(Value::Object))
        .bind(RESERVED.map(str::to_owned).to_vec())
        .fetch_optional(&mut *tx)
        .await?;
    let changed = parse(&changed.ok_or(SourceError::NotFound)?)?;
    let details = json!({ "name": change.name.is_some(), "metadata": change.metadata.is_some() });
    audit::record(&mut tx, principal, audit::CHANGED, (id, request_id), details).await?;
    tx.commit().await?;
    Ok(changed)
}

/// Deletes a source with its pages and its file, and cancels its job.
pub(crate) async fn delete(
    sources: &Sources,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
) -> Result<(), SourceError> {
    again(async || {
        let mut tx = sources.db.begin(principal).await?;
        let locked = lock(&mut tx, id).await?;
        cancel_job(sources, &mut tx, &locked).await?;
        sqlx::query("delete from ai.sources where id = $1").bind(id).execute(&mut *tx).await?;
        audit::record(&mut tx, principal, audit::DELETED, (id, request_id), json!({})).await?;
        Ok(tx.commit().await?)
    })
    .await
}

/// Cancels what is done for a source, and returns the job.
pub(crate) async fn cancel(
    sources: &Sources,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
) -> Result<Option<Uuid>, SourceError> {
    again(async || {
        let mut tx = sources.db.begin(principal).await?;
        let locked = lock(&mut tx, id).await?;
        if locked.is_over() {
            return Err(SourceError::WrongState("nothing is under way for this source"));
        }
        cancel_job(sources, &mut tx, &locked).await?;
        sqlx::query(CANCEL).bind(id).execute(&mut *tx).await?;
        audit::record(&mut tx, principal, audit::CANCELLED, (id, request_id), json!({})).await?;
        tx.commit().await?;
        Ok(locked.job_id)
    })
    .await
}

/// Has a source read anew, or fetched if it never was, and returns the job.
pub(crate) async fn read_anew(
    sources: &Sources,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
) -> Result<Uuid, SourceError> {
    again(async || {
        let mut tx = sources.db.begin(principal).await?;
        let locked = lock(&mut tx, id).await?;
        if !locked.is_over() {
            return Err(SourceError::WrongState("this source is being read; cancel that first"));
        }
        if !locked.has_file && !locked.has_url {
            return Err(SourceError::WrongState("this source has no file that could be read"));
        }
        match sqlx::query(READ_ANEW).bind(id).execute(&mut *tx).await {
            Ok(_) => {}
            Err(error) if is_unique_violation(&error) => {
                drop(tx);
                return Err(there_already(sources, principal, locked.content_hash.as_deref()).await);
            }
            Err(error) => return Err(error.into()),
        }
        let job = if locked.has_file {
            work::add_extract(sources, &mut tx, principal, id).await?
        } else {
            work::add_fetch(sources, &mut tx, principal, id).await?
        };
        name_job(&mut tx, id, job).await?;
        audit::record(&mut tx, principal, audit::READ_ANEW, (id, request_id), json!({})).await?;
        tx.commit().await?;
        Ok(job.0)
    })
    .await
}

/// Notes that an address of the file was signed.
pub(crate) async fn note_signed(
    sources: &Sources,
    principal: &Principal,
    (id, request_id): (Uuid, &str),
    seconds: i64,
) -> Result<(), SourceError> {
    let mut tx = sources.db.begin(principal).await?;
    let details = json!({ "seconds": seconds });
    audit::record(&mut tx, principal, audit::SIGNED, (id, request_id), details).await?;
    Ok(tx.commit().await?)
}

async fn lock(tx: &mut HostTx, id: Uuid) -> Result<Locked, SourceError> {
    let found = sqlx::query_as(LOCK).bind(id).bind(SOURCE_URL).fetch_optional(&mut **tx).await?;
    found.ok_or(SourceError::NotFound)
}

/// Its job stores nothing any more, whether it waits or is under way.
async fn cancel_job(sources: &Sources, tx: &mut HostTx, locked: &Locked) -> Result<(), SourceError> {
    if let Some(job) = locked.job_id {
        sources.queue.cancel(tx, JobId(job)).await?;
    }
    Ok(())
}

/// Another source of the owner's with the same file was added meanwhile.
async fn there_already(sources: &Sources, principal: &Principal, content_hash: Option<&str>) -> SourceError {
    let look = async {
        let mut tx = sources.db.begin(principal).await?;
        let found = new::duplicate(&mut tx, content_hash.unwrap_or_default()).await?;
        tx.commit().await?;
        Ok::<_, sqlx::Error>(found)
    };
    match look.await {
        Ok(Some(duplicate)) => SourceError::Duplicate(Box::new(duplicate)),
        Ok(None) => SourceError::WrongState("another source had the same file just now; try again"),
        Err(error) => error.into(),
    }
}

fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
