//! Lists of objects.

use axum::Json;
use axum::extract::State;
use behalf_web::{ApiError, Path, Routes, routes};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::body::Body;
use crate::caller::Asker;
use crate::cursor::{Column, Cursor};
use crate::error::{StorageError, StorageProblem};
use crate::name::BucketId;
use crate::state::Storage;
use crate::store::list::{self, Entry, Search, Wanted};

/// The most entries of the first version's list.
const MAX_SEARCHED: u64 = 1500;

/// How many there are where none is said.
const SEARCHED: u64 = 100;

/// The most entries of a page.
const MAX_PAGE: u64 = 1000;

/// The most bytes of a prefix, and of a search.
const MAX_PREFIX: usize = 4096;

/// How a list is sorted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StorageSortBy)]
struct SortBy {
    /// `name`, `updated_at`, `created_at`, and in the first version `last_accessed_at`.
    column: String,
    /// `asc` or `desc`.
    order: Option<String>,
}

/// Which objects of a folder to list.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StorageSearch)]
struct SearchBody {
    /// The folder; empty for the whole bucket.
    prefix: String,
    /// How many.
    limit: Option<i64>,
    /// How many of them to pass over.
    offset: Option<i64>,
    /// How they are sorted.
    #[serde(rename = "sortBy")]
    sort_by: Option<SortBy>,
    /// How the names in the folder begin.
    search: Option<String>,
}

/// Which objects to list.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StorageList)]
struct ListBody {
    /// How their names begin.
    prefix: Option<String>,
    /// How many.
    limit: Option<i64>,
    /// Where the list goes on: `nextCursor` of the page before.
    cursor: Option<String>,
    /// Whether folders are listed instead of what is in them.
    with_delimiter: Option<bool>,
    /// How they are sorted.
    #[serde(rename = "sortBy")]
    sort_by: Option<SortBy>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StoragePage)]
struct Page {
    /// Whether there are more.
    #[serde(rename = "hasNext")]
    has_next: bool,
    /// Where the list goes on.
    #[serde(rename = "nextCursor", skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// The last name of this page, where there are more.
    #[serde(rename = "nextCursorKey", skip_serializing_if = "Option::is_none")]
    next_cursor_key: Option<String>,
    /// The folders; their names end with a slash.
    #[schema(value_type = Vec<Object>)]
    folders: Vec<Box<RawValue>>,
    /// The objects.
    #[schema(value_type = Vec<Object>)]
    objects: Vec<Box<RawValue>>,
}

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(search)).routes(routes!(page))
}

/// What is directly in a folder, as the caller sees it. Names are relative to the folder; folders have no id.
#[utoipa::path(
    post, path = "/storage/v1/object/list/{bucket}", tag = "Objects", operation_id = "storage_search_objects",
    params(("bucket" = String, Path, description = "The bucket.")), request_body = SearchBody,
    responses((status = 200, description = "Objects and folders", body = Vec<Object>),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn search(
    State(storage): State<Storage>,
    asker: Asker,
    path: Result<Path<String>, ApiError>,
    Body(body): Body<SearchBody>,
) -> Result<Json<Vec<Box<RawValue>>>, StorageError> {
    let bucket = BucketId::parse(&path?.0)?;
    let mut prefix = bounded(body.prefix, "prefix")?;
    if !prefix.is_empty() && !prefix.ends_with('/') {
        prefix.push('/');
    }
    let wanted = bounded(body.search.unwrap_or_default(), "search")?;
    let (column, order) = match &body.sort_by {
        Some(SortBy { column, order }) => (column.as_str(), order.as_deref().unwrap_or("asc")),
        None => ("name", "asc"),
    };
    if !matches!(column, "name" | "updated_at" | "created_at" | "last_accessed_at") {
        return Err(not_allowed("sortBy/column"));
    }
    is_descending(Some(order))?;
    let found = list::search(
        &storage,
        &asker,
        &bucket,
        Search {
            prefix: &prefix,
            begins: &wanted,
            column,
            order,
            limit: number(body.limit, "limit", 1)?.unwrap_or(SEARCHED).min(MAX_SEARCHED),
            offset: number(body.offset, "offset", 0)?.unwrap_or(0).min(u64::from(i32::MAX.unsigned_abs()) / 2),
        },
    );
    Ok(Json(found.await?))
}

/// A page of the objects whose names begin so, as the caller sees them.
#[utoipa::path(
    post, path = "/storage/v1/object/list-v2/{bucket}", tag = "Objects", operation_id = "storage_list_objects",
    params(("bucket" = String, Path, description = "The bucket.")), request_body = ListBody,
    responses((status = 200, description = "Objects and folders", body = Page),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn page(
    State(storage): State<Storage>,
    asker: Asker,
    path: Result<Path<String>, ApiError>,
    Body(body): Body<ListBody>,
) -> Result<Json<Page>, StorageError> {
    let bucket = BucketId::parse(&path?.0)?;
    let prefix = bounded(body.prefix.unwrap_or_default(), "prefix")?;
    let limit = number(body.limit, "limit", 1)?.unwrap_or(MAX_PAGE).min(MAX_PAGE);
    let limit = usize::try_from(limit).unwrap_or(1);
    let after = body.cursor.filter(|cursor| !cursor.is_empty()).map(|cursor| Cursor::decode(&cursor)).transpose()?;
    let (column, descending) = match (&after, &body.sort_by) {
        (Some(cursor), _) => (cursor.column, cursor.descending),
        (None, Some(sort_by)) => (column_of(&sort_by.column)?, is_descending(sort_by.order.as_deref())?),
        (None, None) => (Column::Name, false),
    };
    let wanted = Wanted {
        prefix: &prefix,
        folders: body.with_delimiter.unwrap_or(false),
        column,
        descending,
        after: after.as_ref(),
        // One more, to know whether there are more.
        limit: limit + 1,
    };
    let mut entries = list::page(&storage, &asker, &bucket, wanted).await?;
    let has_next = entries.len() > limit;
    entries.truncate(limit);
    let last = entries.last().filter(|_| has_next);
    let next_cursor = last.map(|last| next(last, column, descending).encode());
    let next_cursor_key = last.map(|last| last.name.clone());
    let (folders, objects): (Vec<Entry>, Vec<Entry>) = entries.into_iter().partition(|entry| entry.is_folder);
    let answered = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.json).collect();
    Ok(Json(Page { has_next, next_cursor, next_cursor_key, folders: answered(folders), objects: answered(objects) }))
}

/// The cursor behind an entry.
fn next(last: &Entry, column: Column, descending: bool) -> Cursor {
    let at = if column == Column::Name { String::new() } else { last.at.clone() };
    Cursor { last: last.name.clone(), descending, column, at }
}

fn bounded(text: String, name: &str) -> Result<String, StorageError> {
    if text.len() > MAX_PREFIX {
        return Err(StorageError::malformed(format!("body/{name} must NOT have more than {MAX_PREFIX} characters")));
    }
    Ok(text)
}

fn number(number: Option<i64>, name: &str, least: i64) -> Result<Option<u64>, StorageError> {
    let Some(number) = number else { return Ok(None) };
    match u64::try_from(number) {
        Ok(wanted) if number >= least => Ok(Some(wanted)),
        _ => Err(StorageError::malformed(format!("body/{name} must be >= {least}"))),
    }
}

fn column_of(text: &str) -> Result<Column, StorageError> {
    match text {
        "name" => Ok(Column::Name),
        "created_at" => Ok(Column::CreatedAt),
        "updated_at" => Ok(Column::UpdatedAt),
        _ => Err(not_allowed("sortBy/column")),
    }
}

fn is_descending(order: Option<&str>) -> Result<bool, StorageError> {
    match order {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(not_allowed("sortBy/order")),
    }
}

fn not_allowed(name: &str) -> StorageError {
    StorageError::malformed(format!("body/{name} must be equal to one of the allowed values"))
}
