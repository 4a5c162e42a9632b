//! Uploads that come in parts (TUS 1.0), with the extensions creation, creation-with-upload, creation-defer-length, termination and
//! expiration.
//!
//! The state of an upload is a row of `storage.behalf_uploads`, so any host goes on with it. Only whoever began an upload sees it.
//! The right to write the object is tried when the upload begins, and counts again when its row is written, after the last byte.

mod answer;
mod complete;
mod create;
mod head;
mod headers;
mod id;
mod incoming;
mod lock;
mod metadata;
mod patch;
mod receive;
mod terminate;
mod uploader;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use behalf_web::{Path, Routes, routes};
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, StatusCode};
use tracing::Instrument as _;

use crate::caller::{Asker, Stranger};
use crate::error::StorageError;
use crate::state::Storage;
use crate::store::uploads::{self, Upload};
use answer::{TusError, VERSION, empty};
use id::UploadId;
use uploader::{Gate, Uploader};

/// Where uploads of callers are.
const PATH: &str = "/storage/v1/upload/resumable";
/// Where uploads with a signature are.
const SIGNED_PATH: &str = "/storage/v1/upload/resumable/sign";

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    let with_slash = |path: &str| format!("{path}/");
    Routes::new()
        .routes(routes!(begin, ask))
        .routes(routes!(look, append, end, ask_of))
        .routes(routes!(begin_signed, ask_signed))
        .routes(routes!(look_signed, append_signed, end_signed, ask_of_signed))
        // Clients are set up with both forms.
        .route(&with_slash(PATH), axum::routing::post(begin).options(ask))
        .route(&with_slash(SIGNED_PATH), axum::routing::post(begin_signed).options(ask_signed))
}

/// Begins an upload that comes in parts (TUS 1.0): `Upload-Length` or `Upload-Defer-Length: 1`, and `Upload-Metadata` with
/// `bucketName`, `objectName`, and if wished `contentType`, `cacheControl` and `metadata`. The answer's `Location` is the upload's
/// address. A body of the type `application/offset+octet-stream` is its first bytes.
#[utoipa::path(
    post, path = "/storage/v1/upload/resumable", tag = "Objects", operation_id = "storage_begin_upload",
    responses((status = 201, description = "It is begun"), (status = "4XX", description = "Why not, as text"))
)]
async fn begin(
    State(storage): State<Storage>,
    caller: Asker,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, TusError> {
    create::create(storage, Gate::Caller(caller), headers, body).await
}

/// The same with the token of a signed address in `x-signature`, instead of an access token.
#[utoipa::path(
    post, path = "/storage/v1/upload/resumable/sign", tag = "Objects", operation_id = "storage_begin_signed_upload",
    responses((status = 201, description = "It is begun"), (status = "4XX", description = "Why not, as text"))
)]
async fn begin_signed(
    State(storage): State<Storage>,
    Stranger(sender): Stranger,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, TusError> {
    create::create(storage, Gate::Signature(sender), headers, body).await
}

/// Says in `Upload-Offset` how many bytes of an upload are safe.
#[utoipa::path(
    head, path = "/storage/v1/upload/resumable/{upload}", tag = "Objects", operation_id = "storage_look_at_upload",
    params(("upload" = String, Path, description = "The upload")),
    responses((status = 200, description = "How far it is"), (status = "4XX", description = "Why not"))
)]
async fn look(
    State(storage): State<Storage>,
    caller: Asker,
    Path(upload): Path<String>,
    headers: HeaderMap,
) -> Result<Response, TusError> {
    head::head(storage, Gate::Caller(caller), &upload, headers).await
}

/// The same with the token of a signed address.
#[utoipa::path(
    head, path = "/storage/v1/upload/resumable/sign/{upload}", tag = "Objects",
    operation_id = "storage_look_at_signed_upload", params(("upload" = String, Path, description = "The upload")),
    responses((status = 200, description = "How far it is"), (status = "4XX", description = "Why not"))
)]
async fn look_signed(
    State(storage): State<Storage>,
    Stranger(sender): Stranger,
    Path(upload): Path<String>,
    headers: HeaderMap,
) -> Result<Response, TusError> {
    head::head(storage, Gate::Signature(sender), &upload, headers).await
}

/// Appends the body to an upload at `Upload-Offset`. The answer to the last bytes comes once the object can be read.
#[utoipa::path(
    patch, path = "/storage/v1/upload/resumable/{upload}", tag = "Objects", operation_id = "storage_append",
    params(("upload" = String, Path, description = "The upload")),
    responses((status = 204, description = "The bytes are safe"), (status = "4XX", description = "Why not, as text"))
)]
async fn append(
    State(storage): State<Storage>,
    caller: Asker,
    Path(upload): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, TusError> {
    patch::patch(storage, Gate::Caller(caller), &upload, headers, body).await
}

/// The same with the token of a signed address.
#[utoipa::path(
    patch, path = "/storage/v1/upload/resumable/sign/{upload}", tag = "Objects", operation_id = "storage_append_signed",
    params(("upload" = String, Path, description = "The upload")),
    responses((status = 204, description = "The bytes are safe"), (status = "4XX", description = "Why not, as text"))
)]
async fn append_signed(
    State(storage): State<Storage>,
    Stranger(sender): Stranger,
    Path(upload): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, TusError> {
    patch::patch(storage, Gate::Signature(sender), &upload, headers, body).await
}

/// Ends an upload that is not complete, and deletes what came of it.
#[utoipa::path(
    delete, path = "/storage/v1/upload/resumable/{upload}", tag = "Objects", operation_id = "storage_end_upload",
    params(("upload" = String, Path, description = "The upload")),
    responses((status = 204, description = "It is gone"), (status = "4XX", description = "Why not, as text"))
)]
async fn end(
    State(storage): State<Storage>,
    caller: Asker,
    Path(upload): Path<String>,
    headers: HeaderMap,
) -> Result<Response, TusError> {
    terminate::terminate(storage, Gate::Caller(caller), &upload, headers).await
}

/// The same with the token of a signed address.
#[utoipa::path(
    delete, path = "/storage/v1/upload/resumable/sign/{upload}", tag = "Objects",
    operation_id = "storage_end_signed_upload", params(("upload" = String, Path, description = "The upload")),
    responses((status = 204, description = "It is gone"), (status = "4XX", description = "Why not, as text"))
)]
async fn end_signed(
    State(storage): State<Storage>,
    Stranger(sender): Stranger,
    Path(upload): Path<String>,
    headers: HeaderMap,
) -> Result<Response, TusError> {
    terminate::terminate(storage, Gate::Signature(sender), &upload, headers).await
}

/// Says what of TUS is understood.
#[utoipa::path(
    options, path = "/storage/v1/upload/resumable", tag = "Objects", operation_id = "storage_upload_options",
    responses((status = 204, description = "The version and the extensions, in headers"))
)]
async fn ask(State(storage): State<Storage>) -> Response {
    understood(&storage)
}

/// Says what of TUS is understood.
#[utoipa::path(
    options, path = "/storage/v1/upload/resumable/sign", tag = "Objects",
    operation_id = "storage_signed_upload_options",
    responses((status = 204, description = "The version and the extensions, in headers"))
)]
async fn ask_signed(State(storage): State<Storage>) -> Response {
    understood(&storage)
}

/// Says what of TUS is understood.
#[utoipa::path(
    options, path = "/storage/v1/upload/resumable/{upload}", tag = "Objects",
    operation_id = "storage_one_upload_options", params(("upload" = String, Path, description = "The upload")),
    responses((status = 204, description = "The version and the extensions, in headers"))
)]
async fn ask_of(State(storage): State<Storage>) -> Response {
    understood(&storage)
}

/// Says what of TUS is understood.
#[utoipa::path(
    options, path = "/storage/v1/upload/resumable/sign/{upload}", tag = "Objects",
    operation_id = "storage_one_signed_upload_options",
    params(("upload" = String, Path, description = "The upload")),
    responses((status = 204, description = "The version and the extensions, in headers"))
)]
async fn ask_of_signed(State(storage): State<Storage>) -> Response {
    understood(&storage)
}

fn understood(storage: &Storage) -> Response {
    let mut response = empty(StatusCode::NO_CONTENT);
    let headers = response.headers_mut();
    let name = HeaderName::from_static;
    headers.insert(name("tus-version"), VERSION);
    let extensions = "creation,creation-with-upload,creation-defer-length,termination,expiration";
    headers.insert(name("tus-extension"), HeaderValue::from_static(extensions));
    headers.insert(name("tus-max-size"), storage.options.file_size_limit.into());
    response
}

/// The upload that an address names, if it is the sender's. Whoever else asks hears what is said of uploads that do not exist.
async fn of_sender(
    storage: &Storage,
    gate: Gate,
    id: &str,
    headers: &HeaderMap,
    upsert: bool,
) -> Result<(Upload, Uploader), TusError> {
    let id = UploadId::parse(id).ok_or_else(TusError::not_found)?;
    let uploader = gate.open(storage, headers, upsert, &id.bucket, &id.name)?;
    let actor = uploader.actor();
    let found = uploads::find(&storage.db, id.version).await?.filter(|found| {
        found.actor == actor && found.bucket_id == id.bucket.as_str() && found.name == id.name.as_str()
    });
    Ok((found.ok_or_else(TusError::not_found)?, uploader))
}

/// How many bytes may still come. Refuses a body that says it has more.
fn body_limit(upload: &Upload, limit: u64, body_length: Option<u64>) -> Result<u64, TusError> {
    let received = u64::try_from(upload.received).unwrap_or(u64::MAX);
    let whole = upload.size.map_or(limit, |size| u64::try_from(size).unwrap_or_default());
    let left = whole.saturating_sub(received);
    // The bucket's limit may have become smaller since the upload began.
    if left > 0 && whole > limit {
        return Err(TusError::too_large());
    }
    if body_length.is_some_and(|length| length > left) {
        return Err(TusError::too_much());
    }
    Ok(left)
}

/// Does work to its end, whether or not the client waits for it.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, TusError>> + Send + 'static,
) -> Result<T, TusError> {
    tokio::spawn(work.in_current_span()).await.unwrap_or_else(|error| Err(StorageError::internal(&error).into()))
}

/// A moment as headers name it.
pub(super) fn http_date(at: DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
