//! Rows of another project's tables, as an import adds them. Each statement runs as the tables' owner, for whom no policy counts.

use std::collections::HashSet;

use behalf_host_db::HostDb;
use uuid::Uuid;

use crate::import::{MovedBucket, MovedObject};

/// The ids of all buckets.
pub(crate) async fn bucket_ids(db: &HostDb) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let ids = sqlx::query_scalar("select id from storage.buckets").fetch_all(&mut *tx).await?;
    tx.commit().await?;
    Ok(ids)
}

/// Whether the bucket is there, and whether one of its name is.
pub(crate) async fn find_bucket(db: &HostDb, bucket: &MovedBucket) -> Result<(bool, bool), sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let found = sqlx::query_as(
        "select exists (select from storage.buckets b where b.id = $1), exists (select from storage.buckets b where b.name = $2)",
    )
    .bind(&bucket.id)
    .bind(&bucket.name)
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(found)
}

/// Adds a bucket.
pub(crate) async fn add_bucket(db: &HostDb, bucket: &MovedBucket) -> Result<(), sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    sqlx::query(
        "insert into storage.buckets (id, name, owner, owner_id, public, file_size_limit, allowed_mime_types, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7::text::text[], coalesce($8, now()), coalesce($9, $8, now()))",
    )
    .bind(&bucket.id)
    .bind(&bucket.name)
    .bind(uuid(bucket.owner.as_deref()))
    .bind(&bucket.owner)
    .bind(bucket.public)
    .bind(bucket.file_size_limit)
    .bind(&bucket.allowed_mime_types)
    .bind(bucket.created_at)
    .bind(bucket.updated_at)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

/// The buckets and names of those of these objects that are there.
pub(crate) async fn objects_there(
    db: &HostDb,
    objects: impl Iterator<Item = &MovedObject> + Clone,
) -> Result<HashSet<(String, String)>, sqlx::Error> {
    let buckets: Vec<&str> = objects.clone().map(|object| object.bucket.as_str()).collect();
    let names: Vec<&str> = objects.map(|object| object.name.as_str()).collect();
    let mut tx = db.begin_storage().await?;
    let there: Vec<(String, String)> = sqlx::query_as(
        "select o.bucket_id, o.name from unnest($1::text[], $2::text[]) as n (bucket_id, name)
           join storage.objects o on o.bucket_id = n.bucket_id and o.name = n.name",
    )
    .bind(buckets)
    .bind(names)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(there.into_iter().collect())
}

/// Whether an object of this name is there.
pub(crate) async fn has_object(db: &HostDb, object: &MovedObject) -> Result<bool, sqlx::Error> {
    Ok(!objects_there(db, std::iter::once(object)).await?.is_empty())
}

/// Adds an object with its bytes; false if its id or its name is taken.
pub(crate) async fn add_object(
    db: &HostDb,
    object: &MovedObject,
    version: &str,
    metadata: &str,
) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin_storage().await?;
    let added: Option<Uuid> = sqlx::query_scalar(
        "insert into storage.objects (id, bucket_id, name, owner, owner_id, version, metadata, user_metadata, created_at, updated_at,
            last_accessed_at)
         values ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, coalesce($9, now()), coalesce($10, $9, now()),
            coalesce($11, $10, $9, now()))
         on conflict do nothing returning id",
    )
    .bind(object.id)
    .bind(&object.bucket)
    .bind(&object.name)
    .bind(uuid(object.owner.as_deref()))
    .bind(&object.owner)
    .bind(version)
    .bind(metadata)
    .bind(&object.user_metadata)
    .bind(object.created_at)
    .bind(object.updated_at)
    .bind(object.last_accessed_at)
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(added.is_some())
}

/// The owner where it is a UUID, as the older column wants it.
fn uuid(owner: Option<&str>) -> Option<Uuid> {
    Uuid::try_parse(owner?).ok()
}
