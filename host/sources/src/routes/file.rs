//! The file of a source is downloaded: by who may see the source, or by who has a signed address.

use axum::extract::State;
use axum::response::Response;
use behalf_web::{ApiError, Asker, Json, Path, Query, RequestId, Routes, Web, routes as group};
use http::HeaderMap;
use http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::source_id;
use crate::download;
use crate::error::SourceError;
use crate::state::Sources;
use crate::store::{change, read};
use crate::token::AddressSigner;

/// How long a signed address is valid where the request says nothing, and at most: an hour, and a week.
const DEFAULT_SECONDS: i64 = 3_600;
const MAX_SECONDS: i64 = 7 * 24 * 3_600;

/// What an address that opens nothing answers.
const BAD_TOKEN: &str = "this address is not valid, or not any more";

/// The routes.
pub(super) fn routes() -> Routes<Sources> {
    Routes::new().routes(group!(get)).routes(group!(sign)).routes(group!(get_signed))
}

/// How long an address is to be valid.
#[derive(Debug, Default, Deserialize, ToSchema)]
struct SignTerms {
    /// Seconds, a week at most; an hour where absent.
    #[schema(minimum = 1, maximum = 604_800)]
    expires_in: Option<i64>,
}

/// An address that needs no token of a caller's.
#[derive(Debug, Serialize, ToSchema)]
struct SignedAddress {
    /// The address.
    signed_url: String,
    /// Seconds for which it is valid.
    expires_in: i64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct TokenQuery {
    /// The token of the address.
    token: Option<String>,
}

/// Downloads the file of a source. It streams; one part can be asked for. It is always an attachment, of a type that no browser runs.
#[utoipa::path(
    get, path = "/api/sources/{source}/download", operation_id = "download_source", tag = "Sources",
    params(
        ("source" = String, Path, description = "The source's id."),
        ("range" = Option<String>, Header, description = "One part of the bytes."),
        ("if-none-match" = Option<String>, Header, description = "The tag of the bytes that the client has."),
    ),
    responses(
        (status = 200, description = "The bytes", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "The client has them already"),
    )
)]
async fn get(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let file = read::file(&sources, &asker, source_id(&source)?).await?;
    download::answer(&sources, &headers, &file).await
}

/// Signs an address of a source's file, for whoever has it, until it expires or the source is deleted.
#[utoipa::path(
    post, path = "/api/sources/{source}/download-url", operation_id = "sign_source_download", tag = "Sources",
    params(("source" = String, Path, description = "The source's id.")),
    request_body = Option<SignTerms>,
    responses((status = 200, description = "The address", body = SignedAddress))
)]
async fn sign(
    State(sources): State<Sources>,
    asker: Asker,
    Path(source): Path<String>,
    RequestId(request_id): RequestId,
    body: axum::body::Bytes,
) -> Result<Json<SignedAddress>, ApiError> {
    let id = source_id(&source)?;
    let terms = if body.is_empty() { SignTerms::default() } else { Json::<SignTerms>::from_bytes(&body)?.0 };
    let seconds = terms.expires_in.unwrap_or(DEFAULT_SECONDS);
    if !(1..=MAX_SECONDS).contains(&seconds) {
        return Err(ApiError::bad_request(format!("expires_in must be a number of seconds from 1 to {MAX_SECONDS}")));
    }
    let file = read::file(&sources, &asker, id).await?;
    let blob = file.blob_id.ok_or(SourceError::NoFile("this source has no file yet"))?;
    change::note_signed(&sources, &asker.principal, (id, &request_id), seconds).await?;
    let token = AddressSigner::new(&sources.options.signing_key).sign(id, blob, seconds).map_err(ApiError::internal)?;
    let signed_url = format!("{}/api/sources/{id}/file?token={token}", sources.options.public_url);
    Ok(Json(SignedAddress { signed_url, expires_in: seconds }))
}

/// Downloads the file of a source at a signed address.
#[utoipa::path(
    get, path = "/api/sources/{source}/file", operation_id = "download_signed_source", tag = "Sources", security(()),
    params(
        ("source" = String, Path, description = "The source's id."), TokenQuery,
        ("range" = Option<String>, Header, description = "One part of the bytes."),
        ("if-none-match" = Option<String>, Header, description = "The tag of the bytes that the client has."),
    ),
    responses(
        (status = 200, description = "The bytes", body = String, content_type = "application/octet-stream"),
        (status = 206, description = "The part that was asked for", body = String, content_type = "application/octet-stream"),
        (status = 304, description = "The client has them already"),
    )
)]
async fn get_signed(
    State(sources): State<Sources>,
    Path(source): Path<String>,
    Query(query): Query<TokenQuery>,
    parts: Parts,
) -> Result<Response, ApiError> {
    let web: &Web = &sources.web;
    web.limits.count_stranger(&parts)?;
    let id = source_id(&source)?;
    let signer = AddressSigner::new(&sources.options.signing_key);
    let opened = signer.verify(query.token.as_deref().unwrap_or_default(), id);
    let opened = opened.map_err(|_| ApiError::forbidden(BAD_TOKEN))?;
    let file = read::file_as_host(&sources, id).await?.filter(|file| file.blob_id == Some(opened));
    download::answer(&sources, &parts.headers, &file.ok_or(SourceError::NotFound)?).await
}
