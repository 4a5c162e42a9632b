//! Answers with the bytes of a source's file.
//!
//! A file is always an attachment, of a type that no browser runs, and a policy forbids scripts in it besides: nothing that a user
//! uploaded runs on the origin of the API.

mod conditions;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use behalf_blobs::{BlobError, BlobId, BlobReader};
use behalf_problem::Kind;
use behalf_web::{ApiError, ByteRange, attachment};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::error::SourceError;
use crate::file_type;
use crate::source::StoredFile;
use crate::state::Sources;

/// What a document may do that a browser shows all the same: nothing.
const NOTHING: &str = "default-src 'none'; sandbox";

/// A source whose file was not fetched yet, or that has none.
const NO_FILE: &str = "this source has no file yet";

/// Answers with the file, or with the part of it that the request asks for.
pub(crate) async fn answer(sources: &Sources, request: &HeaderMap, file: &StoredFile) -> Result<Response, ApiError> {
    let blob = file.blob_id.and_then(|id| id.to_string().parse::<BlobId>().ok());
    let blob = blob.ok_or(SourceError::NoFile(NO_FILE))?;
    let tag = conditions::tag(file);
    let mut headers = headers(&file.download_name(), file_type::sent_type(file.content_type.as_deref()));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(&mut headers, ETAG, &tag);
    if conditions::has_these(request, &tag) {
        headers.remove(CONTENT_TYPE);
        headers.remove(CONTENT_DISPOSITION);
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    let size = file.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
    let (reader, range) = match read(sources, blob, size, conditions::range(request, &tag)).await? {
        Ok(read) => read,
        Err(size) => return Ok(unsatisfiable(size)),
    };
    headers.insert(CONTENT_LENGTH, HeaderValue::from(range.map_or(reader.size, ByteRange::length)));
    if let Some(range) = range {
        set(&mut headers, CONTENT_RANGE, &range.of(reader.size));
    }
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    Ok((status, headers, Body::from_stream(reader)).into_response())
}

/// The headers of whatever a browser saves: text and files of users.
pub(crate) fn headers(name: &str, content_type: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(10);
    set(&mut headers, CONTENT_TYPE, content_type);
    set(&mut headers, CONTENT_DISPOSITION, &attachment(name));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(NOTHING));
    // A proxy that many share keeps none of it.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers
}

/// The bytes, and which part of them they are; the error is how many there are, where they have no such part.
async fn read(
    sources: &Sources,
    blob: BlobId,
    mut size: u64,
    wanted: Option<&str>,
) -> Result<Result<(BlobReader, Option<ByteRange>), u64>, SourceError> {
    // The row says how many bytes there are; SQL of the app's own may have made it say anything, and the store knows better.
    loop {
        let range = wanted.map(|wanted| ByteRange::parse(wanted, size));
        let part = range.and_then(Result::ok);
        let reader = match sources.blobs.read(blob, part.map(ByteRange::bounds)).await {
            Ok(reader) => reader,
            Err(BlobError::Range { size: real }) if real != size => {
                size = real;
                continue;
            }
            Err(BlobError::Range { size }) => return Ok(Err(size)),
            Err(error) => return Err(error.into()),
        };
        match range {
            None => return Ok(Ok((reader, None))),
            Some(_) if reader.size != size => size = reader.size,
            Some(Ok(range)) => return Ok(Ok((reader, Some(range)))),
            Some(Err(_)) => return Ok(Err(size)),
        }
    }
}

/// There is no such part.
fn unsatisfiable(size: u64) -> Response {
    let error = ApiError::new(Kind::RangeNotSatisfiable, "the file has no such part");
    let mut response = error.into_response();
    set(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{size}"));
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_leaves_its_header() {
        let headers = headers("a\"; filename=evil.html\r\nset-cookie: x", "text/plain; charset=utf-8");
        let value = headers[CONTENT_DISPOSITION].to_str().expect("plain text");
        assert!(value.starts_with("attachment; ") && value.matches("; ").count() == 2, "{value}");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(headers[CONTENT_SECURITY_POLICY].to_str().expect("plain text").contains("sandbox"));
        assert!(!headers.contains_key("set-cookie"));
    }
}
