//! Adds sources: the row, its job and its audit event in one transaction.

use behalf_identity::Principal;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit;
use super::job::name_job;
use crate::error::{Duplicate, SourceError};
use crate::metadata;
use crate::state::Sources;
use crate::work;

/// A file that the owner has already is not added: the partial unique index of (owner, hash) leaves out what failed or was cancelled,
/// so such a file can be sent again.
const INSERT: &str = "
    insert into ai.sources (id, name, file_type, content_type, storage_path, size, content_hash, blob_id, metadata)
    values ($1, $2, $3, $4, $5, $6, $7, $8::text::uuid, $9) on conflict do nothing";

const DUPLICATE: &str = "
    select id, name, file_type, extraction_status, to_json(created_at) #>> '{}' as created_at
    from ai.sources
    where owner_id is not distinct from behalf.uid() and content_hash = $1
      and extraction_status not in ('failed', 'cancelled')";

/// How often a row is tried whose duplicate vanished in between.
const TRIES: usize = 3;

/// A source to add, whose bytes are stored.
#[derive(Clone, Debug)]
pub(crate) struct NewSource<'a> {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: &'a str,
    /// The end of its file's name.
    pub(crate) file_type: &'a str,
    /// The media type of its file.
    pub(crate) content_type: &'a str,
    /// A name for its file.
    pub(crate) storage_path: &'a str,
    /// The bytes of its file.
    pub(crate) size: i64,
    /// Their SHA-256 in hex.
    pub(crate) content_hash: &'a str,
    /// The id of the bytes.
    pub(crate) blob_id: String,
    /// What the app and the host keep with it.
    pub(crate) metadata: Map<String, Value>,
    /// How it came, for the audit log.
    pub(crate) came_by: &'static str,
}

/// A source that is to be fetched.
#[derive(Clone, Debug)]
pub(crate) struct NewAddress {
    /// Its id.
    pub(crate) id: Uuid,
    /// Its name.
    pub(crate) name: String,
    /// Its address.
    pub(crate) url: String,
}

/// Adds a source, and returns the job that reads it.
pub(crate) async fn add(
    sources: &Sources,
    principal: &Principal,
    new: &NewSource<'_>,
    request_id: &str,
) -> Result<Uuid, SourceError> {
    for _ in 0..TRIES {
        let mut tx = sources.db.begin(principal).await?;
        if !insert(&mut tx, new).await? {
            match duplicate(&mut tx, new.content_hash).await? {
                Some(duplicate) => return Err(SourceError::Duplicate(Box::new(duplicate))),
                None => continue,
            }
        }
        let job = work::add_extract(sources, &mut tx, principal, new.id).await?;
        name_job(&mut tx, new.id, job).await?;
        let details = json!({ "by": new.came_by, "file_type": new.file_type, "size": new.size });
        audit::record(&mut tx, principal, audit::ADDED, (new.id, request_id), details).await?;
        tx.commit().await?;
        return Ok(job.0);
    }
    Err(SourceError::WrongState("the same file is being added and removed; send it again"))
}

/// Adds sources that are to be fetched, all or none.
pub(crate) async fn add_addresses(
    sources: &Sources,
    principal: &Principal,
    new: &[NewAddress],
    request_id: &str,
) -> Result<(), SourceError> {
    let mut tx = sources.db.begin(principal).await?;
    for NewAddress { id, name, url } in new {
        sqlx::query("insert into ai.sources (id, name, metadata) values ($1, $2, $3)")
            .bind(id)
            .bind(name)
            .bind(json!({ metadata::SOURCE_URL: url }))
            .execute(&mut *tx)
            .await?;
    }
    for NewAddress { id, .. } in new {
        let job = work::add_fetch(sources, &mut tx, principal, *id).await?;
        name_job(&mut tx, *id, job).await?;
        audit::record(&mut tx, principal, audit::ADDED, (*id, request_id), json!({ "by": "url" })).await?;
    }
    Ok(tx.commit().await?)
}

/// Whether the row is there now; not, where the owner has the same file.
async fn insert(tx: &mut PgConnection, new: &NewSource<'_>) -> Result<bool, sqlx::Error> {
    let done = sqlx::query(INSERT)
        .bind(new.id)
        .bind(new.name)
        .bind(new.file_type)
        .bind(new.content_type)
        .bind(new.storage_path)
        .bind(new.size)
        .bind(new.content_hash)
        .bind(&new.blob_id)
        .bind(Value::Object(new.metadata.clone()))
        .execute(tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// The owner's source with the same file.
pub(crate) async fn duplicate(tx: &mut PgConnection, content_hash: &str) -> Result<Option<Duplicate>, sqlx::Error> {
    sqlx::query_as(DUPLICATE).bind(content_hash).fetch_optional(tx).await
}
