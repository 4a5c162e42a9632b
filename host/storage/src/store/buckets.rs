//! Table `storage.buckets`. Each statement runs as its caller.

use behalf_caller_db::{AppError, FixedAccess, FixedRow};
use behalf_pgwire::WireError;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::Asker;
use crate::change::Change;
use crate::error::{StorageError, is_held_by};
use crate::name::BucketId;
use crate::state::Storage;

/// The objects that one statement deletes.
const AT_ONCE: &str = "5000";

macro_rules! bucket {
    () => {
        "json_build_object('id', b.id, 'name', b.name, 'owner', coalesce(b.owner::text, ''), 'public', coalesce(b.public, false),
             'type', b.type, 'file_size_limit', b.file_size_limit, 'allowed_mime_types', b.allowed_mime_types,
             'created_at', to_char(b.created_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
             'updated_at', to_char(b.updated_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'))::text"
    };
}

const FIND: &str = concat!("select ", bucket!(), " from storage.buckets b where b.id = $1::text");

const LIST: &str = concat!(
    "select ",
    bucket!(),
    " from storage.buckets b where $1::text is null or b.name ilike $1::text
     order by case when $2::text = 'id asc' then b.id end, case when $2::text = 'id desc' then b.id end desc,
         case when $2::text = 'name asc' then b.name end, case when $2::text = 'name desc' then b.name end desc,
         case when $2::text = 'created_at asc' then b.created_at end, case when $2::text = 'created_at desc' then b.created_at end desc,
         case when $2::text = 'updated_at asc' then b.updated_at end, case when $2::text = 'updated_at desc' then b.updated_at end desc,
         b.name
     limit $3::text::bigint offset $4::text::bigint"
);

/// Nothing is returned: whoever may insert need not be able to read.
const INSERT: &str =
    "insert into storage.buckets (id, name, owner, owner_id, public, type, file_size_limit, allowed_mime_types)
    values ($1::text, $2::text, $3::text::uuid, $3::text, $4::text::boolean, 'STANDARD', $5::text::bigint,
        case when $6::text is not null then array(select jsonb_array_elements_text($6::text::jsonb)) end)";

const UPDATE: &str = "update storage.buckets b
    set public = coalesce($2::text::boolean, b.public),
        file_size_limit = case when $3::text::boolean then $4::text::bigint else b.file_size_limit end,
        allowed_mime_types = case when not $5::text::boolean then b.allowed_mime_types
                                  when $6::text is not null then array(select jsonb_array_elements_text($6::text::jsonb)) end
    where b.id = $1::text returning b.id";

const DELETE: &str = "delete from storage.buckets b where b.id = $1::text returning b.id";

const COUNT: &str =
    "select count(*) from (select from storage.objects o where o.bucket_id = $1::text limit $2::text::integer) o";

/// Only what is there when the bucket is emptied: other objects may come meanwhile.
const EMPTY: &str = "with gone as (
        delete from storage.objects where id in (
            select o.id from storage.objects o
            where o.bucket_id = $1::text and coalesce(o.created_at, '-infinity') <= $2::text::timestamptz limit $3::text::integer)
        returning id)
    select count(*) from gone";

const NOW: &str = "select now()::text";

/// A bucket, as it is answered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = StorageBucket)]
pub(crate) struct Bucket {
    /// Its id.
    pub(crate) id: String,
    /// Its name, which is its id.
    pub(crate) name: String,
    /// The user who made it; empty for the service role.
    pub(crate) owner: String,
    /// Whether everybody may read its objects.
    pub(crate) public: bool,
    /// Its type.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    /// The most bytes of an object.
    pub(crate) file_size_limit: Option<i64>,
    /// The types that objects may have.
    pub(crate) allowed_mime_types: Option<Vec<String>>,
    /// When it was made.
    pub(crate) created_at: Option<String>,
    /// When it was changed.
    pub(crate) updated_at: Option<String>,
}

/// Which buckets to list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// A part of their names, as a pattern.
    pub(crate) pattern: Option<&'a str>,
    /// A column and a direction.
    pub(crate) order: Option<&'a str>,
    /// How many.
    pub(crate) limit: Option<&'a str>,
    /// How many of them to pass over.
    pub(crate) offset: Option<&'a str>,
}

/// What is set of a bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct BucketChange {
    /// Whether everybody may read its objects.
    pub(crate) public: Option<bool>,
    /// The most bytes of an object.
    pub(crate) file_size_limit: Change<i64>,
    /// The types that objects may have, as a JSON array.
    pub(crate) allowed_mime_types: Change<String>,
}

/// The bucket that the caller may see.
pub(crate) async fn find(storage: &Storage, asker: &Asker, id: &BucketId) -> Result<Bucket, StorageError> {
    const SETTINGS: &[&str] = &["SET LOCAL storage.operation = 'storage.bucket.get'"];
    let rows = asker.act(SETTINGS).read(storage, FIND, &[Some(id.as_str())]).await?;
    read(rows.first().ok_or_else(StorageError::no_bucket)?)
}

/// The buckets that the caller may see.
pub(crate) async fn list(storage: &Storage, asker: &Asker, wanted: Wanted<'_>) -> Result<Vec<Bucket>, StorageError> {
    const SETTINGS: &[&str] = &["SET LOCAL storage.operation = 'storage.bucket.list'"];
    let params = [wanted.pattern, wanted.order, wanted.limit, wanted.offset];
    let rows = asker.act(SETTINGS).read(storage, LIST, &params).await?;
    rows.iter().map(read).collect()
}

/// Makes a bucket.
pub(crate) async fn insert(
    storage: &Storage,
    asker: &Asker,
    id: &BucketId,
    name: &BucketId,
    set: &BucketChange,
) -> Result<(), StorageError> {
    const SETTINGS: &[&str] = &["SET LOCAL storage.operation = 'storage.bucket.create'"];
    let owner = asker.principal().subject().map(|user| user.to_string());
    let limit = set.file_size_limit.value().map(ToString::to_string);
    let params = [
        Some(id.as_str()),
        Some(name.as_str()),
        owner.as_deref(),
        Some(text_of(set.public.unwrap_or(false))),
        limit.as_deref(),
        set.allowed_mime_types.value().map(String::as_str),
    ];
    let made = asker.act(SETTINGS).run(storage, FixedAccess::Write, INSERT, &params).await;
    made.map(drop).map_err(|error| match &error {
        AppError::Database(failed) if failed.sqlstate() == Some("23505") => {
            StorageError::new(409, "BucketAlreadyExists", "The resource already exists").named("Duplicate")
        }
        _ => error.into(),
    })
}

/// Changes a bucket that the caller may change.
pub(crate) async fn update(
    storage: &Storage,
    asker: &Asker,
    id: &BucketId,
    set: &BucketChange,
) -> Result<(), StorageError> {
    const SETTINGS: &[&str] = &["SET LOCAL storage.operation = 'storage.bucket.update'"];
    let limit = set.file_size_limit.value().map(ToString::to_string);
    let params = [
        Some(id.as_str()),
        set.public.map(text_of),
        Some(text_of(!set.file_size_limit.is_keep())),
        limit.as_deref(),
        Some(text_of(!set.allowed_mime_types.is_keep())),
        set.allowed_mime_types.value().map(String::as_str),
    ];
    let rows = asker.act(SETTINGS).run(storage, FixedAccess::Write, UPDATE, &params).await?;
    rows.first().map(drop).ok_or_else(StorageError::no_bucket)
}

/// Deletes a bucket that the caller may delete. That it still has objects is said to nobody else.
pub(crate) async fn delete(storage: &Storage, asker: &Asker, id: &BucketId) -> Result<(), StorageError> {
    const SETTINGS: &[&str] =
        &["SET LOCAL storage.operation = 'storage.bucket.delete'", "SET LOCAL storage.allow_delete_query = 'true'"];
    let rows = asker.act(SETTINGS).run(storage, FixedAccess::Write, DELETE, &[Some(id.as_str())]).await;
    let rows = rows.map_err(|error| {
        if is_held_by(&error, "objects_bucketId_fkey") {
            StorageError::new(409, "ResourceNotEmpty", "The bucket you tried to delete is not empty")
        } else {
            error.into()
        }
    })?;
    rows.first().map(drop).ok_or_else(StorageError::no_bucket)
}

/// How many objects of a bucket the caller may see, at most `limit`.
pub(crate) async fn count(storage: &Storage, asker: &Asker, id: &BucketId, limit: u64) -> Result<u64, StorageError> {
    let limit = limit.to_string();
    let params = [Some(id.as_str()), Some(limit.as_str())];
    number(&asker.act(EMPTYING).read(storage, COUNT, &params).await?)
}

/// The database's time.
pub(crate) async fn now(storage: &Storage, asker: &Asker) -> Result<String, StorageError> {
    let rows = asker.act(EMPTYING).read(storage, NOW, &[]).await?;
    let now = rows.first().and_then(|row| row.text(0)).map(str::to_owned);
    now.ok_or_else(|| StorageError::internal(&WireError::Protocol("a time is missing")))
}

/// Deletes some of the objects that were there at `before`, and returns how many.
pub(crate) async fn empty(storage: &Storage, asker: &Asker, id: &BucketId, before: &str) -> Result<u64, StorageError> {
    let params = [Some(id.as_str()), Some(before), Some(AT_ONCE)];
    number(&asker.act(EMPTYING).run(storage, FixedAccess::Write, EMPTY, &params).await?)
}

const EMPTYING: &[&str] =
    &["SET LOCAL storage.operation = 'storage.bucket.empty'", "SET LOCAL storage.allow_delete_query = 'true'"];

fn text_of(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn number(rows: &[FixedRow]) -> Result<u64, StorageError> {
    let number = rows.first().and_then(|row| row.text(0)?.parse().ok());
    number.ok_or_else(|| StorageError::internal(&WireError::Protocol("a number is missing")))
}

fn read(row: &FixedRow) -> Result<Bucket, StorageError> {
    serde_json::from_str(row.text(0).unwrap_or_default()).map_err(|error| StorageError::internal(&error))
}
