//! Buckets.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use behalf_web::{ApiError, Path, Query, Routes, routes};
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use tracing::Instrument as _;
use utoipa::{IntoParams, ToSchema};

use crate::body::Body;
use crate::caller::Asker;
use crate::change::Change;
use crate::client_version::knows_no_bucket_type;
use crate::error::{StorageError, StorageProblem};
use crate::name::BucketId;
use crate::size::Size;
use crate::state::Storage;
use crate::store::buckets::{self, Bucket, BucketChange, Wanted};

/// The most characters of a type in a list of types.
const MAX_TYPE: usize = 1000;

/// The most types of a bucket.
const MAX_TYPES: usize = 1000;

/// The most objects that are deleted for one request.
const MAX_EMPTIED: u64 = 200_000;

/// How long a request waits for its bucket to be empty. The rest is deleted after the answer.
const EMPTYING: Duration = Duration::from_secs(5);

/// What a new bucket is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewStorageBucket)]
struct NewBucket {
    /// Its name.
    name: String,
    /// Its id, which is its name where none is sent.
    id: Option<String>,
    /// Whether everybody may read its objects.
    public: Option<bool>,
    /// `STANDARD`.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The most bytes of an object.
    file_size_limit: Option<Size>,
    /// The types that objects may have: `image/png`, `image/*`.
    allowed_mime_types: Option<Vec<String>>,
}

/// What is to be changed of a bucket. What is not sent stays as it is; `null` takes a limit away.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StorageBucketChange)]
struct ChangedBucket {
    /// Whether everybody may read its objects.
    public: Option<bool>,
    /// The most bytes of an object.
    #[serde(default)]
    #[schema(value_type = Option<Size>)]
    file_size_limit: Change<Size>,
    /// The types that objects may have.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_mime_types: Change<Vec<String>>,
}

/// Which buckets to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// How many.
    limit: Option<String>,
    /// How many of them to pass over.
    offset: Option<String>,
    /// `id`, `name`, `created_at` or `updated_at`.
    #[serde(rename = "sortColumn")]
    sort_column: Option<String>,
    /// `asc` or `desc`.
    #[serde(rename = "sortOrder")]
    sort_order: Option<String>,
    /// A part of their names.
    search: Option<String>,
}

/// The name of a bucket that was made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageBucketName)]
struct Made {
    /// Its name.
    name: String,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageMessage)]
struct Done {
    /// What was done.
    message: &'static str,
}

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(list, create)).routes(routes!(find, update, remove)).routes(routes!(empty))
}

/// The buckets that the caller may see.
#[utoipa::path(
    get, path = "/storage/v1/bucket", tag = "Buckets", operation_id = "storage_list_buckets", params(ListQuery),
    responses((status = 200, description = "The buckets", body = Vec<Bucket>),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn list(
    State(storage): State<Storage>,
    asker: Asker,
    headers: HeaderMap,
    query: Result<Query<ListQuery>, ApiError>,
) -> Result<Json<Vec<Bucket>>, StorageError> {
    let Query(query) = query?;
    let limit = number(query.limit.as_deref(), "limit", 1)?;
    let offset = number(query.offset.as_deref(), "offset", 0)?;
    let order = order(query.sort_column.as_deref(), query.sort_order.as_deref())?;
    let pattern = query.search.filter(|text| !text.is_empty()).map(|text| pattern(&text)).transpose()?;
    let wanted = Wanted {
        pattern: pattern.as_deref(),
        order: order.as_deref(),
        limit: limit.as_deref(),
        offset: offset.as_deref(),
    };
    let mut found = buckets::list(&storage, &asker, wanted).await?;
    if knows_no_bucket_type(&headers) {
        found.iter_mut().for_each(|bucket| bucket.kind = None);
    }
    Ok(Json(found))
}

/// Makes a bucket, as the caller.
#[utoipa::path(
    post, path = "/storage/v1/bucket", tag = "Buckets", operation_id = "storage_create_bucket", request_body = NewBucket,
    responses((status = 200, description = "Made", body = Made),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn create(
    State(storage): State<Storage>,
    asker: Asker,
    Body(new): Body<NewBucket>,
) -> Result<Json<Made>, StorageError> {
    match new.kind.as_deref() {
        None | Some("STANDARD") => {}
        Some("ANALYTICS") => {
            let message = "The feature iceberg_catalog is not enabled for this resource";
            return Err(StorageError::new(409, "FeatureNotEnabled", message));
        }
        Some(_) => return Err(StorageError::malformed("body/type must be equal to one of the allowed values")),
    }
    let name = BucketId::parse_new(&new.name)?;
    let id = BucketId::parse_new(new.id.as_deref().filter(|id| !id.is_empty()).unwrap_or(&new.name))?;
    let most = storage.options.file_size_limit;
    let set = BucketChange {
        public: new.public,
        file_size_limit: Change::from(new.file_size_limit).try_map(|size| size.bytes(most))?,
        allowed_mime_types: Change::from(new.allowed_mime_types).try_map(types)?,
    };
    buckets::insert(&storage, &asker, &id, &name, &set).await?;
    Ok(Json(Made { name: new.name }))
}

/// A bucket that the caller may see.
#[utoipa::path(
    get, path = "/storage/v1/bucket/{bucket}", tag = "Buckets", operation_id = "storage_get_bucket",
    params(("bucket" = String, Path, description = "The bucket.")),
    responses((status = 200, description = "The bucket", body = Bucket),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn find(
    State(storage): State<Storage>,
    asker: Asker,
    path: Result<Path<String>, ApiError>,
) -> Result<Json<Bucket>, StorageError> {
    let mut bucket = buckets::find(&storage, &asker, &named(path)?).await?;
    bucket.kind = None;
    Ok(Json(bucket))
}

/// Changes a bucket, as the caller.
#[utoipa::path(
    put, path = "/storage/v1/bucket/{bucket}", tag = "Buckets", operation_id = "storage_update_bucket",
    params(("bucket" = String, Path, description = "The bucket.")), request_body = ChangedBucket,
    responses((status = 200, description = "Changed", body = Done),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn update(
    State(storage): State<Storage>,
    asker: Asker,
    path: Result<Path<String>, ApiError>,
    Body(changed): Body<ChangedBucket>,
) -> Result<Json<Done>, StorageError> {
    let bucket = named(path)?;
    let ChangedBucket { public, file_size_limit, allowed_mime_types } = changed;
    if public.is_none() && file_size_limit.is_keep() && allowed_mime_types.is_keep() {
        return Err(StorageError::malformed("body must have a property of a bucket"));
    }
    let most = storage.options.file_size_limit;
    let set = BucketChange {
        public,
        file_size_limit: file_size_limit.try_map(|size| size.bytes(most))?,
        allowed_mime_types: allowed_mime_types.try_map(types)?,
    };
    buckets::update(&storage, &asker, &bucket, &set).await?;
    Ok(Json(Done { message: "Successfully updated" }))
}

/// Deletes an empty bucket, as the caller.
#[utoipa::path(
    delete, path = "/storage/v1/bucket/{bucket}", tag = "Buckets", operation_id = "storage_delete_bucket",
    params(("bucket" = String, Path, description = "The bucket.")),
    responses((status = 200, description = "Deleted", body = Done),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn remove(
    State(storage): State<Storage>,
    asker: Asker,
    path: Result<Path<String>, ApiError>,
) -> Result<Json<Done>, StorageError> {
    buckets::delete(&storage, &asker, &named(path)?).await?;
    Ok(Json(Done { message: "Successfully deleted" }))
}

/// Deletes all objects of a bucket; for the service role. What takes long goes on after the answer.
#[utoipa::path(
    post, path = "/storage/v1/bucket/{bucket}/empty", tag = "Buckets", operation_id = "storage_empty_bucket",
    params(("bucket" = String, Path, description = "The bucket.")),
    responses((status = 200, description = "Begun", body = Done),
        (status = "default", description = "The request failed", body = StorageProblem))
)]
async fn empty(
    State(storage): State<Storage>,
    asker: Asker,
    path: Result<Path<String>, ApiError>,
) -> Result<Json<Done>, StorageError> {
    asker.must_be_service()?;
    let bucket = named(path)?;
    buckets::find(&storage, &asker, &bucket).await?;
    if buckets::count(&storage, &asker, &bucket, MAX_EMPTIED + 1).await? > MAX_EMPTIED {
        let message = "Unable to empty the bucket because it contains too many objects";
        return Err(StorageError::new(409, "InvalidRequest", message));
    }
    let before = buckets::now(&storage, &asker).await?;
    let work = async move {
        while buckets::empty(&storage, &asker, &bucket, &before).await? > 0 {}
        Ok::<_, StorageError>(())
    };
    // In a task of its own, which goes on if the client goes away. It ends with the host; then the request can be sent again.
    let work = tokio::spawn(work.in_current_span());
    if let Ok(done) = tokio::time::timeout(EMPTYING, work).await {
        done.map_err(|error| StorageError::internal(&error))??;
    }
    Ok(Json(Done { message: "Empty bucket has been queued. Completion may take up to an hour." }))
}

/// The bucket of a path. A name that no bucket can have names none.
fn named(path: Result<Path<String>, ApiError>) -> Result<BucketId, StorageError> {
    let Path(text) = path?;
    BucketId::parse(&text).map_err(|_| StorageError::no_bucket())
}

/// The types that objects may have, as a JSON array.
fn types(list: Vec<String>) -> Result<String, StorageError> {
    let list: Vec<String> = list.into_iter().filter(|one| !one.is_empty()).collect();
    if list.len() > MAX_TYPES {
        return Err(StorageError::malformed(format!(
            "body/allowed_mime_types must NOT have more than {MAX_TYPES} items"
        )));
    }
    if let Some(wrong) = list.iter().find(|one| !is_type(one)) {
        let shown: String = wrong.chars().take(100).collect();
        return Err(StorageError::new(415, "InvalidMimeType", format!("mime type {shown} is not supported"))
            .named("invalid_mime_type"));
    }
    serde_json::to_string(&list).map_err(|error| StorageError::internal(&error))
}

/// Whether it is a type such as `text/plain; charset=utf-8`, or a pattern with a star at its end.
fn is_type(text: &str) -> bool {
    let of = |text: &str, marks: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte))
    };
    if text.len() > MAX_TYPE || text.contains('\0') {
        return false;
    }
    if text.ends_with('*') {
        return true;
    }
    let (essence, charset) = match text.split_once(';') {
        Some((essence, rest)) => (essence, rest.trim_start().strip_prefix("charset=").unwrap_or_default()),
        None => (text, "none"),
    };
    let is_essence = essence.split_once('/').is_some_and(|(kind, sub)| of(kind, b"-+.") && of(sub, b"-+."));
    is_essence && of(charset, b"-")
}

/// A number of the query.
fn number(text: Option<&str>, name: &str, least: i64) -> Result<Option<String>, StorageError> {
    let Some(text) = text else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(number) if number >= least => Ok(Some(number.to_string())),
        Ok(_) => Err(StorageError::malformed(format!("querystring/{name} must be >= {least}"))),
        Err(_) => Err(StorageError::malformed(format!("querystring/{name} must be integer"))),
    }
}

fn order(column: Option<&str>, order: Option<&str>) -> Result<Option<String>, StorageError> {
    let refused =
        |name: &str| StorageError::malformed(format!("querystring/{name} must be equal to one of the allowed values"));
    if !matches!(column, None | Some("id" | "name" | "created_at" | "updated_at")) {
        return Err(refused("sortColumn"));
    }
    match order {
        None | Some("asc" | "desc") => Ok(column.map(|column| format!("{column} {}", order.unwrap_or("asc")))),
        Some(_) => Err(refused("sortOrder")),
    }
}

/// A pattern for names that contain this text.
fn pattern(text: &str) -> Result<String, StorageError> {
    if text.contains('\0') {
        return Err(StorageError::malformed("querystring/search may not contain the NUL character"));
    }
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    Ok(format!("%{escaped}%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_supabase_storage_takes() {
        for text in ["image/png", "image/*", "*", "text/plain; charset=utf-8", "a/b;charset=x", "application/x.y+z-1"] {
            assert!(is_type(text), "{text}");
        }
        for text in
            ["", "image", "image/", "/png", "a/b/c", "image/png ", "text/plain;", "text/plain; charset=", "a/b\0*"]
        {
            assert!(!is_type(text), "{text}");
        }
        assert!(!is_type(&format!("a/{}", "b".repeat(MAX_TYPE))));
    }

    #[test]
    fn a_search_contains_no_pattern_of_the_client() {
        assert_eq!(pattern(r"a_%\").ok().as_deref(), Some(r"%a\_\%\\%"));
    }
}
