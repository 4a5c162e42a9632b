//! Table `storage.behalf_uploads`: uploads that come in parts, and who works on each.
//!
//! A row is locked for seconds at a time, by a random id and the database's clock. Whoever writes bytes renews the lock; after a host
//! was killed, its lock runs out and another goes on. Each statement is a transaction of its own: none is open while bytes come.

use std::time::Duration;

use behalf_blobs::PartUpload;
use behalf_host_db::HostDb;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

/// How long a lock lasts that nobody renews.
pub(crate) const LEASE: Duration = Duration::from_secs(10);

/// Expired uploads that one turn deletes.
const EXPIRED_AT_ONCE: i64 = 50;

/// The columns that [`Upload`] is read from.
macro_rules! columns {
    () => {
        "id, bucket_id, name, actor, size, received, metadata, parts, expires_at, etag, stored_at,
             completed_at is not null as is_completed, expires_at <= now() as is_expired"
    };
}

const INSERT: &str = concat!(
    "insert into storage.behalf_uploads
         (id, bucket_id, name, actor, size, metadata, parts, expires_at, locked_by, locked_until)
     values ($1, $2, $3, $4, $5, $6, $7, now() + make_interval(secs => $8), $9, now() + make_interval(secs => $10))
     returning ",
    columns!()
);

const FIND: &str = concat!("select ", columns!(), " from storage.behalf_uploads where id = $1");

const LOCK: &str = concat!(
    "update storage.behalf_uploads
     set locked_by = $2, locked_until = now() + make_interval(secs => $3), wanted_at = null
     where id = $1 and (locked_until is null or locked_until <= now())
     returning ",
    columns!()
);

const LOCK_EXPIRED: &str = concat!(
    "update storage.behalf_uploads
     set locked_by = $1, locked_until = now() + make_interval(secs => $2)
     where id in (
         select id from storage.behalf_uploads
         where expires_at <= now() and (locked_until is null or locked_until <= now())
         order by expires_at limit $3 for update skip locked)
     returning ",
    columns!()
);

/// What the client said of the object, in its order: `None` is a name without a value.
pub(crate) type Metadata = Vec<(String, Option<String>)>;

/// An upload that comes in parts.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct Upload {
    /// The id of its bytes.
    pub(crate) id: Uuid,
    /// The bucket of the object.
    pub(crate) bucket_id: String,
    /// The name of the object.
    pub(crate) name: String,
    /// Who began it.
    pub(crate) actor: String,
    /// How many bytes there will be, once that is known.
    pub(crate) size: Option<i64>,
    /// How many bytes are safe.
    pub(crate) received: i64,
    /// What the client said of the object.
    pub(crate) metadata: Json<Metadata>,
    /// What the store of bytes needs to go on.
    pub(crate) parts: Json<PartUpload>,
    /// From when on it is deleted, unless more comes.
    pub(crate) expires_at: DateTime<Utc>,
    /// Whether that moment is over.
    pub(crate) is_expired: bool,
    /// Whether the object's row names the bytes.
    pub(crate) is_completed: bool,
    /// The tag of the whole, once the store of bytes has put it together.
    pub(crate) etag: Option<String>,
    /// When that was.
    pub(crate) stored_at: Option<DateTime<Utc>>,
}

/// What a renewal of a lock met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// The lock lasts on.
    Kept,
    /// It lasts on, and another request waits for it.
    Wanted,
    /// It is gone, or the upload is.
    Lost,
}

/// What is new of an upload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewUpload<'a> {
    /// The bucket of the object.
    pub(crate) bucket: &'a str,
    /// The name of the object.
    pub(crate) name: &'a str,
    /// Who begins it.
    pub(crate) actor: &'a str,
    /// How many bytes there will be, if that is known.
    pub(crate) size: Option<i64>,
    /// What the client said of the object.
    pub(crate) metadata: &'a Metadata,
    /// What the store of bytes needs to go on.
    pub(crate) parts: &'a PartUpload,
    /// How long it may rest between its parts.
    pub(crate) rest: Duration,
}

/// Stores a new upload, locked by whoever begins it, and returns it.
pub(crate) async fn insert(db: &HostDb, id: Uuid, lock: Uuid, upload: &NewUpload<'_>) -> Result<Upload, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let made = sqlx::query_as(INSERT)
        .bind(id)
        .bind(upload.bucket)
        .bind(upload.name)
        .bind(upload.actor)
        .bind(upload.size)
        .bind(Json(upload.metadata))
        .bind(Json(upload.parts))
        .bind(upload.rest.as_secs_f64())
        .bind(lock)
        .bind(LEASE.as_secs_f64())
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(made)
}

/// The upload with this id.
pub(crate) async fn find(db: &HostDb, id: Uuid) -> Result<Option<Upload>, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let found = sqlx::query_as(FIND).bind(id).fetch_optional(&mut *tx).await?;
    tx.commit().await?;
    Ok(found)
}

/// Locks an upload, if nobody else has it; else tells whoever has it that it is wanted.
pub(crate) async fn lock(db: &HostDb, id: Uuid, lock: Uuid) -> Result<Option<Upload>, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let locked = sqlx::query_as(LOCK).bind(id).bind(lock).bind(LEASE.as_secs_f64()).fetch_optional(&mut *tx).await?;
    if locked.is_none() {
        sqlx::query("update storage.behalf_uploads set wanted_at = now() where id = $1 and wanted_at is null")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(locked)
}

/// Makes a lock last on, and stores what came meanwhile.
pub(crate) async fn renew(
    db: &HostDb,
    id: Uuid,
    lock: Uuid,
    progress: Option<(&PartUpload, Duration)>,
) -> Result<Renewal, sqlx::Error> {
    let (parts, rest) = progress.unzip();
    let received = parts.map(|parts| i64::try_from(parts.offset()).unwrap_or(i64::MAX));
    let mut tx = db.begin_storage().await?;
    let renewed: Option<bool> = sqlx::query_scalar(
        "update storage.behalf_uploads
         set locked_until = now() + make_interval(secs => $3), parts = coalesce($4, parts),
             received = coalesce($5, received), expires_at = coalesce(now() + make_interval(secs => $6), expires_at)
         where id = $1 and locked_by = $2
         returning wanted_at is not null",
    )
    .bind(id)
    .bind(lock)
    .bind(LEASE.as_secs_f64())
    .bind(parts.map(Json))
    .bind(received)
    .bind(rest.map(|rest: Duration| rest.as_secs_f64()))
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(match renewed {
        Some(false) => Renewal::Kept,
        Some(true) => Renewal::Wanted,
        None => Renewal::Lost,
    })
}

/// Stores how many bytes there will be. False where the lock is gone.
pub(crate) async fn declare(db: &HostDb, id: Uuid, lock: Uuid, size: i64) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let done =
        sqlx::query("update storage.behalf_uploads set size = $3 where id = $1 and locked_by = $2 and size is null")
            .bind(id)
            .bind(lock)
            .bind(size)
            .execute(&mut *tx)
            .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Stores what the store of bytes says of the whole. False where the lock is gone.
pub(crate) async fn put_together(
    db: &HostDb,
    id: Uuid,
    lock: Uuid,
    etag: &str,
    stored_at: DateTime<Utc>,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let done = sqlx::query(
        "update storage.behalf_uploads
         set etag = $3, stored_at = $4, locked_until = now() + make_interval(secs => $5)
         where id = $1 and locked_by = $2",
    )
    .bind(id)
    .bind(lock)
    .bind(etag)
    .bind(stored_at)
    .bind(LEASE.as_secs_f64())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Frees a lock. `completed` says that the object's row names the bytes.
pub(crate) async fn unlock(db: &HostDb, id: Uuid, lock: Uuid, completed: bool) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    sqlx::query(
        "update storage.behalf_uploads
         set locked_by = null, locked_until = null, wanted_at = null,
             completed_at = case when $3 then coalesce(completed_at, now()) else completed_at end
         where id = $1 and locked_by = $2",
    )
    .bind(id)
    .bind(lock)
    .bind(completed)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// Deletes an upload that this lock holds.
pub(crate) async fn delete(db: &HostDb, id: Uuid, lock: Uuid) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    sqlx::query("delete from storage.behalf_uploads where id = $1 and locked_by = $2")
        .bind(id)
        .bind(lock)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Locks uploads that have expired, each for as long as a lock lasts.
pub(crate) async fn lock_expired(db: &HostDb, lock: Uuid) -> Result<Vec<Upload>, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let expired = sqlx::query_as(LOCK_EXPIRED)
        .bind(lock)
        .bind(LEASE.as_secs_f64())
        .bind(EXPIRED_AT_ONCE)
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(expired)
}
