//! Addresses are signed: for whoever has one, as what the caller may do now.

use axum::extract::State;
use axum::http::HeaderMap;
use behalf_web::{ApiError, Json, Path, Routes, header, routes};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::kept_metadata::kept_metadata;
use super::lenient::Whole;
use super::object_path::ObjectPath;
use crate::body::Body;
use crate::caller::Asker;
use crate::error::{StorageError, StorageProblem};
use crate::name::{BucketId, ObjectName};
use crate::object::{NewObject, Overwrite};
use crate::state::Storage;
use crate::store::objects;
use crate::store::visible::visible;
use crate::url_signer::{SignedUpload, UrlSigner};

/// Addresses that one request may ask for.
const MAX_PATHS: usize = 1000;
const HIDDEN: &str = "Either the object does not exist or you do not have access to it";

/// What policies see as the operation.
const ONE: &[&str] = &["SET LOCAL storage.operation = 'storage.object.sign'"];
const MANY: &[&str] = &["SET LOCAL storage.operation = 'storage.object.sign_many'"];
const UPLOAD: &[&str] = &["SET LOCAL storage.operation = 'storage.object.sign_upload_url'"];

/// The routes.
pub(super) fn routes() -> Routes<Storage> {
    Routes::new().routes(routes!(sign_one)).routes(routes!(sign_many)).routes(routes!(sign_upload))
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StorageSignTerms)]
struct Terms {
    /// For how many seconds.
    #[serde(rename = "expiresIn")]
    #[schema(value_type = i64)]
    expires_in: Option<Whole>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = StorageSignManyTerms)]
struct ManyTerms {
    /// For how many seconds.
    #[serde(rename = "expiresIn")]
    #[schema(value_type = i64)]
    expires_in: Option<Whole>,
    /// Names of objects.
    paths: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageSigned)]
struct Signed {
    /// The address below `/storage/v1`.
    #[serde(rename = "signedURL")]
    signed_url: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageSignedOfMany)]
struct SignedOfMany {
    /// Why there is none.
    error: Option<&'static str>,
    /// The name that was asked for.
    path: String,
    /// The address below `/storage/v1`.
    #[serde(rename = "signedURL")]
    signed_url: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageSignedForUpload)]
struct SignedForUpload {
    /// The address below `/storage/v1`.
    url: String,
    /// The token in it.
    token: String,
}

/// Signs an address at which everybody can read an object for some time, if the caller may read it now.
#[utoipa::path(
    post, path = "/storage/v1/object/sign/{bucket}/{*name}", tag = "Objects", operation_id = "storage_sign_object",
    params(("bucket" = String, Path, description = "The bucket"), ("name" = String, Path, description = "The object")),
    request_body = Terms,
    responses(
        (status = 200, description = "The address", body = Signed),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn sign_one(
    State(storage): State<Storage>,
    caller: Asker,
    path: ObjectPath,
    Body(terms): Body<Terms>,
) -> Result<Json<Signed>, StorageError> {
    let (bucket, name) = (BucketId::parse(&path.bucket)?, ObjectName::parse(&path.name)?);
    let seconds = seconds(terms.expires_in)?;
    let found = objects::find(&storage, caller.act(ONE), bucket.as_str(), name.as_str()).await?;
    found.ok_or_else(StorageError::no_object)?;
    Ok(Json(Signed { signed_url: address(&storage, &bucket, &name, seconds)? }))
}

/// Signs addresses of many objects: of each that the caller may read.
#[utoipa::path(
    post, path = "/storage/v1/object/sign/{bucket}", tag = "Objects", operation_id = "storage_sign_objects",
    params(("bucket" = String, Path, description = "The bucket")),
    request_body = ManyTerms,
    responses(
        (status = 200, description = "The addresses, in the order of the names", body = Vec<SignedOfMany>),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn sign_many(
    State(storage): State<Storage>,
    caller: Asker,
    path: Result<Path<String>, ApiError>,
    Body(terms): Body<ManyTerms>,
) -> Result<Json<Vec<SignedOfMany>>, StorageError> {
    let Path(bucket) = path?;
    let bucket = BucketId::parse(&bucket)?;
    let seconds = seconds(terms.expires_in)?;
    let amount = match terms.paths.len() {
        0 => Some("body/paths must NOT have fewer than 1 items".to_owned()),
        1..=MAX_PATHS => None,
        _ => Some(format!("body/paths must NOT have more than {MAX_PATHS} items")),
    };
    if let Some(message) = amount {
        return Err(StorageError::malformed(message));
    }
    let known = visible(&storage, caller.act(MANY), bucket.as_str(), &terms.paths).await?;
    let sign = |path: String| {
        let name = known.contains(&path).then(|| ObjectName::parse(&path).ok()).flatten();
        let signed_url = name.map(|name| address(&storage, &bucket, &name, seconds)).transpose()?;
        Ok(SignedOfMany { error: signed_url.is_none().then_some(HIDDEN), path, signed_url })
    };
    terms.paths.into_iter().map(sign).collect::<Result<_, StorageError>>().map(Json)
}

/// Signs an address at which everybody can upload an object for some time, as the caller's, if the caller may write it now. With
/// `x-upsert: true` it may replace an object.
#[utoipa::path(
    post, path = "/storage/v1/object/upload/sign/{bucket}/{*name}", tag = "Objects",
    operation_id = "storage_sign_upload",
    params(("bucket" = String, Path, description = "The bucket"), ("name" = String, Path, description = "The object")),
    responses(
        (status = 200, description = "The address and its token", body = SignedForUpload),
        (status = "4XX", description = "Why not", body = StorageProblem),
    )
)]
async fn sign_upload(
    State(storage): State<Storage>,
    caller: Asker,
    path: ObjectPath,
    headers: HeaderMap,
) -> Result<Json<SignedForUpload>, StorageError> {
    let (bucket, name) = (BucketId::parse(&path.bucket)?, ObjectName::parse(&path.name)?);
    let upsert = header(&headers, "x-upsert")? == Some("true");
    let length = header(&headers, "content-length")?.and_then(|text| text.parse::<u64>().ok());
    let metadata = json!({ "mimetype": header(&headers, "content-type")?, "contentLength": length }).to_string();
    let user_metadata = kept_metadata(&headers)?;
    let owner = caller.owner();
    let row = NewObject {
        bucket: bucket.as_str(),
        name: name.as_str(),
        version: None,
        owner: owner.as_deref(),
        metadata: &metadata,
        user_metadata: user_metadata.as_deref(),
    };
    let overwrite = if upsert { Overwrite::Yes } else { Overwrite::No };
    objects::try_put(&storage, caller.act(UPLOAD), &row, overwrite).await?;
    let seconds = i64::try_from(storage.options.signed_upload.as_secs()).unwrap_or(i64::MAX);
    let signed = SignedUpload { owner, upsert };
    let token = UrlSigner::new(&storage.options.signing_key).upload(&bucket, &name, seconds, &signed)?;
    let url = format!("/object/upload/sign/{}/{}?token={token}", bucket.as_str(), in_address(&name));
    Ok(Json(SignedForUpload { url, token }))
}

fn seconds(sent: Option<Whole>) -> Result<i64, StorageError> {
    let invalid = |message: &'static str| StorageError::malformed(message);
    let Whole(sent) = sent.ok_or_else(|| invalid("body must have required property 'expiresIn'"))?;
    match sent.ok_or_else(|| invalid("body/expiresIn must be integer"))? {
        ..1 => Err(invalid("body/expiresIn must be >= 1")),
        seconds => Ok(seconds),
    }
}

fn address(storage: &Storage, bucket: &BucketId, name: &ObjectName, seconds: i64) -> Result<String, StorageError> {
    let token = UrlSigner::new(&storage.options.signing_key).download(bucket, name, seconds)?;
    Ok(format!("/object/sign/{}/{}?token={token}", bucket.as_str(), in_address(name)))
}

/// The name as it is, since clients encode the whole address themselves; but what would end the path does not.
fn in_address(name: &ObjectName) -> String {
    name.as_str().replace('?', "%3F")
}
