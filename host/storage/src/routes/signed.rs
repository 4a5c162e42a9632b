//! Whoever has a signed address reads or writes its object, without being a caller.

use axum::body::Body;
use axum::extract::State;
use axum::http::request::Parts;
use axum::response::Response;
use behalf_web::{ApiError, Json, Query, Routes, routes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::object_path::ObjectPath;
use super::resumable::http_date;
use crate::asset::{self, Wish};
use crate::caller::Stranger;
use crate::error::{StorageError, StorageProblem};
use crate::name::{BucketId, ObjectName};
use crate::object::Overwrite;
use crate::state::Storage;
use crate::store::objects;
use crate::upload::{LetBy, Upload, upload};
use crate::url_signer::UrlSigner;

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(download_signed)).routes(routes!(upload_signed))
}

#[derive(Debug, Deserialize)]
struct Asked {
    token: Option<String>,
    download: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Token {
    token: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageSignedUploaded)]
struct Uploaded {
    /// The bucket and the name of the object.
    #[serde(rename = "Key")]
    key: String,
}

/// Reads an object at a signed address. Ranges, `If-None-Match` and `download` are as in other downloads.
#[utoipa::path(
    get, path = "/storage/v1/object/sign/{bucket}/{*name}", tag = "Objects", operation_id = "storage_download_signed",
    params(
        ("bucket" = String, Path, description = "The bucket"), ("name" = String, Path, description = "The object"),
        ("token" = String, Query, description = "The token of the address"),
        ("download" = Option<String>, Query, description = "The name under which browsers keep it; empty for its own"),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "Whatever clients add against caches."),
    ),
    responses(
        (status = 200, description = "The bytes", content_type = "application/octet-stream"),
        (status = 206, description = "A range of them", content_type = "application/octet-stream"),
        (status = 304, description = "The client has them"),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn download_signed(
    State(storage): State<Storage>,
    _: Stranger,
    path: ObjectPath,
    asked: Result<Query<Asked>, ApiError>,
    parts: Parts,
) -> Result<Response, StorageError> {
    let (bucket, name) = (BucketId::parse(&path.bucket)?, ObjectName::parse(&path.name)?);
    let Query(Asked { token, download }) = asked?;
    let expires = signer(&storage).verify_download(&sent(token)?, &bucket, &name)?;
    let (_, found) = objects::look(&storage, bucket.as_str(), name.as_str()).await?.unwrap_or_default();
    let object = found.ok_or_else(StorageError::no_object)?;
    let wish = Wish { download: download.as_deref(), expires: Some(&http_date(expires)) };
    asset::get(&storage, &parts.headers, &object, wish).await
}

/// Writes an object at a signed address, as whoever signed it.
#[utoipa::path(
    put, path = "/storage/v1/object/upload/sign/{bucket}/{*name}", tag = "Objects", operation_id = "storage_upload_signed",
    params(
        ("bucket" = String, Path, description = "The bucket"), ("name" = String, Path, description = "The object"),
        ("token" = String, Query, description = "The token of the address"),
        ("query" = HashMap<String, String>, Query, style = Form, explode, description = "Whatever clients add."),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "It is written", body = Uploaded),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn upload_signed(
    State(storage): State<Storage>,
    Stranger(sender): Stranger,
    path: ObjectPath,
    asked: Result<Query<Token>, ApiError>,
    parts: Parts,
    body: Body,
) -> Result<Json<Uploaded>, StorageError> {
    let (bucket, name) = (BucketId::parse(&path.bucket)?, ObjectName::parse(&path.name)?);
    let Query(Token { token }) = asked?;
    let signed = signer(&storage).verify_upload(&sent(token)?, &bucket, &name)?;
    let upload_of = Upload {
        bucket: &bucket,
        name: name.as_str(),
        owner: signed.owner.as_deref(),
        overwrite: if signed.upsert { Overwrite::Yes } else { Overwrite::No },
        by: LetBy::Signature(sender),
    };
    let uploaded = upload(&storage, &parts, body, upload_of).await?;
    Ok(Json(Uploaded { key: uploaded.key }))
}

fn signer(storage: &Storage) -> UrlSigner<'_> {
    UrlSigner::new(&storage.options.signing_key)
}

fn sent(token: Option<String>) -> Result<String, StorageError> {
    token.ok_or_else(|| StorageError::malformed("querystring must have required property 'token'"))
}
