//! Lists of objects. Each statement runs as its caller, and shows what the caller may see.
//!
//! Names are compared by their bytes, on the index of the bucket's names: these comparisons leak nothing, so that Postgres uses the
//! index under any policy.

use behalf_caller_db::FixedRow;
use serde_json::value::RawValue;

use crate::caller::Asker;
use crate::cursor::{Column, Cursor};
use crate::error::StorageError;
use crate::name::BucketId;
use crate::state::Storage;

/// A moment as JSON, of the column that is named.
macro_rules! moment {
    ($column:literal) => {
        concat!("to_char(", $column, " at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')")
    };
}

/// What is answered of an object, but for its name.
macro_rules! facts {
    () => {
        concat!(
            "'id', o.id, 'updated_at', ",
            moment!("o.updated_at"),
            ", 'created_at', ",
            moment!("o.created_at"),
            ", 'last_accessed_at', ",
            moment!("o.last_accessed_at"),
            ", 'metadata', o.metadata)::text"
        )
    };
}

/// The moment that a cursor names: with all its digits.
macro_rules! exact {
    () => {
        "to_char(coalesce(o.sorted_by, 'epoch') at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
    };
}

const SEARCH: &str = concat!(
    "select json_build_object('name', o.name, ",
    facts!(),
    " from storage.search($1::text, $2::text, $3::text::integer, 1, $4::text::integer, $5::text, $6::text, $7::text) o"
);

const FOLDER: &str = concat!(
    "select o.name, o.id is null, '', json_build_object('key', split_part(o.name, '/', $6::text::integer), 'name', o.name, ",
    facts!(),
    " from storage.list_objects_with_delimiter($1::text, $2::text, '/', $3::text::integer, $4::text, '', $5::text) o"
);

const NAMES: &str = concat!(
    "select o.name, false, '', json_build_object('name', o.name, ",
    facts!(),
    " from storage.objects o
     where o.bucket_id = $1::text and o.name collate \"C\" >= $2::text and o.name collate \"C\" < storage.behalf_behind($3::text)
     order by o.name collate \"C\" limit $4::text::integer"
);

const NAMES_DOWNWARDS: &str = concat!(
    "select o.name, false, '', json_build_object('name', o.name, ",
    facts!(),
    " from storage.objects o
     where o.bucket_id = $1::text and o.name collate \"C\" >= $3::text
       and o.name collate \"C\" < coalesce($2::text, storage.behalf_behind($3::text))
     order by o.name collate \"C\" desc limit $4::text::integer"
);

/// A page of the entries, sorted by a time.
macro_rules! sorted {
    ($compared:literal, $direction:literal) => {
        concat!(
            " select o.name, o.id is null, ",
            exact!(),
            ", json_build_object('key', split_part(o.name, '/', $7::text::integer), 'name', o.name, ",
            facts!(),
            "
             from entry o
             where $4::text is null
                or (coalesce(o.sorted_by, 'epoch'), o.name collate \"C\") ",
            $compared,
            " ($5::text::timestamptz, $4::text)
             order by coalesce(o.sorted_by, 'epoch') ",
            $direction,
            ", o.name collate \"C\" ",
            $direction,
            "
             limit $6::text::integer"
        )
    };
}

/// What is below a prefix, sorted by a time. It looks at all of it, and keeps a page.
macro_rules! names_by_time {
    ($compared:literal, $direction:literal) => {
        concat!(
            "with entry as (
                 select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
                     case $3::text when 'updated_at' then o.updated_at else o.created_at end as sorted_by
                 from storage.objects o
                 where o.bucket_id = $1::text and o.name collate \"C\" >= $2::text and o.name collate \"C\" < storage.behalf_behind($2::text))",
            sorted!($compared, $direction)
        )
    };
}

/// What is directly below a prefix, sorted by a time: of a folder, by when the first of its objects was made. It looks at all of it.
macro_rules! folders_by_time {
    ($compared:literal, $direction:literal) => {
        concat!(
            "with below as materialized (
                 select o.name, o.id, o.updated_at, o.created_at, o.last_accessed_at, o.metadata,
                     storage.get_common_prefix(o.name, $2::text, '/') as folder
                 from storage.objects o
                 where o.bucket_id = $1::text and o.name collate \"C\" >= $2::text and o.name collate \"C\" < storage.behalf_behind($2::text)),
             entry as (
                 select b.folder as name, null::uuid as id, min(b.created_at) as updated_at, min(b.created_at) as created_at,
                     null::timestamptz as last_accessed_at, null::jsonb as metadata, min(b.created_at) as sorted_by
                 from below b where b.folder is not null group by b.folder
                 union all
                 select b.name, b.id, b.updated_at, b.created_at, b.last_accessed_at, b.metadata,
                     case $3::text when 'updated_at' then b.updated_at else b.created_at end
                 from below b where b.folder is null)",
            sorted!($compared, $direction)
        )
    };
}

const NAMES_BY_TIME: &str = names_by_time!(">", "asc");
const NAMES_BY_TIME_DOWNWARDS: &str = names_by_time!("<", "desc");
const FOLDERS_BY_TIME: &str = folders_by_time!(">", "asc");
const FOLDERS_BY_TIME_DOWNWARDS: &str = folders_by_time!("<", "desc");

/// Which objects of a folder to list, as the first version of the list takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search<'a> {
    /// The folder, with a slash at its end; empty for the bucket.
    pub(crate) prefix: &'a str,
    /// How the names in the folder begin.
    pub(crate) begins: &'a str,
    /// The column to sort by.
    pub(crate) column: &'a str,
    /// `asc` or `desc`.
    pub(crate) order: &'a str,
    /// How many.
    pub(crate) limit: u64,
    /// How many of them to pass over.
    pub(crate) offset: u64,
}

/// Which objects to list, as the second version takes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// How their names begin.
    pub(crate) prefix: &'a str,
    /// Whether folders are listed instead of what is in them.
    pub(crate) folders: bool,
    /// What the list is sorted by.
    pub(crate) column: Column,
    /// Whether it is sorted downwards.
    pub(crate) descending: bool,
    /// The last entry of the page before.
    pub(crate) after: Option<&'a Cursor>,
    /// How many.
    pub(crate) limit: usize,
}

/// An entry of a list.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its name; a folder's ends with a slash.
    pub(crate) name: String,
    /// Whether it is a folder.
    pub(crate) is_folder: bool,
    /// The moment that the list is sorted by, if it is.
    pub(crate) at: String,
    /// It as it is answered.
    pub(crate) json: Box<RawValue>,
}

/// What is directly in a folder.
pub(crate) async fn search(
    storage: &Storage,
    asker: &Asker,
    bucket: &BucketId,
    search: Search<'_>,
) -> Result<Vec<Box<RawValue>>, StorageError> {
    const SETTINGS: &[&str] = &["SET LOCAL storage.operation = 'storage.object.list'"];
    let (limit, offset) = (search.limit.to_string(), search.offset.to_string());
    let params = [
        Some(search.prefix),
        Some(bucket.as_str()),
        Some(limit.as_str()),
        Some(offset.as_str()),
        Some(search.begins),
        Some(search.column),
        Some(search.order),
    ];
    let rows = asker.act(SETTINGS).read(storage, SEARCH, &params).await?;
    rows.iter().map(|row| json(row, 0)).collect()
}

/// A page of what is below a prefix.
pub(crate) async fn page(
    storage: &Storage,
    asker: &Asker,
    bucket: &BucketId,
    wanted: Wanted<'_>,
) -> Result<Vec<Entry>, StorageError> {
    const SETTINGS: &[&str] = &["SET LOCAL storage.operation = 'storage.object.list_v2'"];
    let Wanted { prefix, folders, column, descending, after, limit } = wanted;
    let (limit, level) = (limit.to_string(), (prefix.split('/').count()).to_string());
    let (bucket, limit, level) = (Some(bucket.as_str()), Some(limit.as_str()), Some(level.as_str()));
    let last = after.map(|cursor| cursor.last.as_str());
    let order = Some(if descending { "desc" } else { "asc" });
    // Behind the last name, there is none before this one.
    let from = last.map_or_else(|| prefix.to_owned(), |last| format!("{last}\u{1}").max(prefix.to_owned()));
    let at = after.map(|cursor| cursor.at.as_str());
    let prefix = Some(prefix);
    let rows = match (column, folders, descending) {
        (Column::Name, true, _) => {
            let params = [bucket, prefix, limit, Some(last.unwrap_or_default()), order, level];
            asker.act(SETTINGS).read(storage, FOLDER, &params).await?
        }
        (Column::Name, false, false) => {
            let params = [bucket, Some(from.as_str()), prefix, limit];
            asker.act(SETTINGS).read(storage, NAMES, &params).await?
        }
        (Column::Name, false, true) => {
            let params = [bucket, last, prefix, limit];
            asker.act(SETTINGS).read(storage, NAMES_DOWNWARDS, &params).await?
        }
        (Column::CreatedAt | Column::UpdatedAt, ..) => {
            let text = match (folders, descending) {
                (true, false) => FOLDERS_BY_TIME,
                (true, true) => FOLDERS_BY_TIME_DOWNWARDS,
                (false, false) => NAMES_BY_TIME,
                (false, true) => NAMES_BY_TIME_DOWNWARDS,
            };
            let params = [bucket, prefix, Some(column.as_str()), last, at, limit, level];
            asker.act(SETTINGS).read(storage, text, &params).await?
        }
    };
    rows.iter().map(entry).collect()
}

fn entry(row: &FixedRow) -> Result<Entry, StorageError> {
    let text = |column| row.text(column).unwrap_or_default();
    Ok(Entry { name: text(0).to_owned(), is_folder: text(1) == "t", at: text(2).to_owned(), json: json(row, 3)? })
}

fn json(row: &FixedRow, column: usize) -> Result<Box<RawValue>, StorageError> {
    RawValue::from_string(row.text(column).unwrap_or_default().to_owned())
        .map_err(|error| StorageError::internal(&error))
}
