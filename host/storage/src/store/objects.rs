//! Table `storage.objects`.
//!
//! What a caller asks for runs as the caller, one constant statement in one round trip. A look that needs no caller is one round trip
//! as well: the host may call a function that has the rights of the tables' owner. A write that needs no caller is a transaction of
//! that owner's. Where a statement returns columns, Postgres asks for the right to read them, so a plain insert returns none.

use behalf_caller_db::{AppError, FixedAccess, FixedRow};
use sqlx::Row as _;
use uuid::Uuid;

use crate::error::StorageError;
use crate::object::{NewObject, Object, Overwrite};
use crate::state::Storage;
use crate::store::ActAs;

/// The code of a row that is there already.
const UNIQUE_VIOLATION: &str = "23505";

/// The columns of `storage.objects o` that [`Object`] is read from.
macro_rules! columns {
    () => {
        "o.id::text, o.bucket_id, o.name, o.version, o.owner_id, o.metadata::text, o.user_metadata::text,
         to_char(o.created_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),
         to_char(o.updated_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
    };
}

/// The row of [`NewObject`], with its parameters.
macro_rules! insert {
    () => {
        "insert into storage.objects (id, bucket_id, name, version, owner_id, owner, metadata, user_metadata)
         values ($1::text::uuid, $2::text, $3::text, $4::text, $5::text, $6::text::uuid, $7::text::jsonb, $8::text::jsonb)"
    };
}

const INSERT: &str = insert!();

/// An owner that is not known leaves the former one.
const UPSERT: &str = concat!(
    insert!(),
    " on conflict (bucket_id, name) do update set version = excluded.version, metadata = excluded.metadata,
         user_metadata = excluded.user_metadata, owner_id = coalesce(excluded.owner_id, objects.owner_id),
         owner = coalesce(excluded.owner, objects.owner)
     returning id::text"
);

const FIND: &str = concat!(
    "select ",
    columns!(),
    " from storage.objects o where o.bucket_id = $1::text and o.name = $2::text limit 1"
);

/// The columns of the bucket come first, then those of [`Object`].
const LOOK: &str = "select * from behalf.look_at_object($1::text, $2::text)";

/// How many columns the bucket has in [`LOOK`].
const OF_BUCKET: usize = 3;

const RENAME: &str = "update storage.objects set bucket_id = $3::text, name = $4::text,
         owner_id = coalesce($5::text, owner_id), owner = coalesce($6::text::uuid, owner)
     where bucket_id = $1::text and name = $2::text
     returning id::text";

const DELETE: &str = concat!(
    "delete from storage.objects o where o.bucket_id = $1::text and o.name = any($2::text::text[]) returning ",
    columns!()
);

/// What is known of a bucket without a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketLook {
    /// Whether everybody may read its objects.
    pub(crate) public: bool,
    /// The most bytes of an object.
    pub(crate) file_size_limit: Option<u64>,
    /// The types that objects may have; empty for any.
    pub(crate) allowed_mime_types: Vec<String>,
}

impl BucketLook {
    fn read(row: &FixedRow) -> Result<Self, StorageError> {
        let types: Option<Vec<Option<String>>> =
            row.text(2).map(serde_json::from_str).transpose().map_err(|error| StorageError::internal(&error))?;
        Ok(Self {
            public: row.text(0) == Some("t"),
            file_size_limit: row.text(1).and_then(|limit| limit.parse().ok()),
            allowed_mime_types: types.unwrap_or_default().into_iter().flatten().collect(),
        })
    }
}

impl Object {
    /// Reads the columns behind the first ones; none where they are NULL.
    fn read(row: &FixedRow, behind: usize) -> Option<Self> {
        let column = |at: usize| row.text(behind + at);
        let text = |at| column(at).map(str::to_owned);
        let json = |at| serde_json::from_str(column(at)?).ok();
        Some(Self {
            id: text(0)?,
            bucket: text(1)?,
            name: text(2)?,
            version: text(3),
            owner: text(4),
            metadata: json(5),
            user_metadata: json(6),
            created_at: text(7),
            updated_at: text(8),
        })
    }
}

/// A bucket, for the host itself: no policy counts.
pub(crate) async fn bucket(storage: &Storage, bucket: &str) -> Result<Option<BucketLook>, StorageError> {
    storage.db.read(LOOK, &[Some(bucket), None]).await?.first().map(BucketLook::read).transpose()
}

/// A bucket, and the object of this name in it, for the host itself: no policy counts.
pub(crate) async fn look(
    storage: &Storage,
    bucket: &str,
    name: &str,
) -> Result<Option<(BucketLook, Option<Object>)>, StorageError> {
    let rows = storage.db.read(LOOK, &[Some(bucket), Some(name)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some((BucketLook::read(row)?, Object::read(row, OF_BUCKET))))
}

/// The object that the caller may read.
pub(crate) async fn find(
    storage: &Storage,
    caller: ActAs<'_>,
    bucket: &str,
    name: &str,
) -> Result<Option<Object>, StorageError> {
    let rows = run(storage, caller, FixedAccess::Read, FIND, &[Some(bucket), Some(name)]).await?;
    Ok(rows.first().and_then(|row| Object::read(row, 0)))
}

/// Tells whether the caller may write such a row; nothing is written.
pub(crate) async fn try_put(
    storage: &Storage,
    caller: ActAs<'_>,
    object: &NewObject<'_>,
    overwrite: Overwrite,
) -> Result<(), StorageError> {
    put_with(storage, caller, FixedAccess::Try, object, overwrite).await.map(|_| ())
}

/// Writes the row as the caller, and returns its id.
pub(crate) async fn put(
    storage: &Storage,
    caller: ActAs<'_>,
    object: &NewObject<'_>,
    overwrite: Overwrite,
) -> Result<String, StorageError> {
    put_with(storage, caller, FixedAccess::Write, object, overwrite).await
}

/// Writes the row as the tables' owner, and returns its id: somebody who may do it allowed it before.
pub(crate) async fn put_as_owner(
    storage: &Storage,
    object: &NewObject<'_>,
    overwrite: Overwrite,
) -> Result<String, StorageError> {
    let id = Uuid::now_v7().to_string();
    let mut tx = storage.db.begin_storage().await?;
    let query = sqlx::query(if overwrite == Overwrite::Yes { UPSERT } else { INSERT })
        .bind(&id)
        .bind(object.bucket)
        .bind(object.name)
        .bind(object.version)
        .bind(object.owner)
        .bind(object.owner_uuid())
        .bind(object.metadata)
        .bind(object.user_metadata);
    let row = query.fetch_optional(&mut *tx).await.map_err(|error| match error.as_database_error() {
        Some(failed) if failed.is_unique_violation() => key_exists(),
        Some(failed) if failed.is_foreign_key_violation() => StorageError::no_bucket(),
        _ => error.into(),
    })?;
    tx.commit().await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or(id))
}

/// Gives an object of the caller's another name, and returns its id; none where there is no object that the caller may rename.
pub(crate) async fn rename(
    storage: &Storage,
    caller: ActAs<'_>,
    access: FixedAccess,
    from: (&str, &str),
    to: &NewObject<'_>,
) -> Result<Option<String>, StorageError> {
    let owner = to.owner_uuid();
    let params = [Some(from.0), Some(from.1), Some(to.bucket), Some(to.name), to.owner, owner.as_deref()];
    let rows = run(storage, caller, access, RENAME, &params).await?;
    Ok(rows.first().and_then(|row| row.text(0)).map(str::to_owned))
}

/// Deletes those of the named objects that the caller may delete, and returns them. `names` is an array in Postgres's form.
pub(crate) async fn delete(
    storage: &Storage,
    caller: ActAs<'_>,
    bucket: &str,
    names: &str,
) -> Result<Vec<Object>, StorageError> {
    let rows = run(storage, caller, FixedAccess::Write, DELETE, &[Some(bucket), Some(names)]).await?;
    Ok(rows.iter().filter_map(|row| Object::read(row, 0)).collect())
}

async fn put_with(
    storage: &Storage,
    caller: ActAs<'_>,
    access: FixedAccess,
    object: &NewObject<'_>,
    overwrite: Overwrite,
) -> Result<String, StorageError> {
    let (id, owner) = (Uuid::now_v7().to_string(), object.owner_uuid());
    let params = [
        Some(id.as_str()),
        Some(object.bucket),
        Some(object.name),
        object.version,
        object.owner,
        owner.as_deref(),
        Some(object.metadata),
        object.user_metadata,
    ];
    let text = if overwrite == Overwrite::Yes { UPSERT } else { INSERT };
    let rows = run(storage, caller, access, text, &params).await?;
    Ok(rows.first().and_then(|row| row.text(0)).map_or(id, str::to_owned))
}

async fn run(
    storage: &Storage,
    caller: ActAs<'_>,
    access: FixedAccess,
    text: &'static str,
    params: &[Option<&str>],
) -> Result<Vec<FixedRow>, StorageError> {
    caller.run(storage, access, text, params).await.map_err(|error| match error {
        AppError::Database(error) if error.sqlstate() == Some(UNIQUE_VIOLATION) => key_exists(),
        error => error.into(),
    })
}

fn key_exists() -> StorageError {
    StorageError::new(409, "KeyAlreadyExists", "The resource already exists").named("Duplicate")
}
