//! Answers with objects: their bytes, their headers, or what is known of them.

mod conditions;
mod headers;
mod info;
mod readable;
mod script;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use behalf_blobs::{BlobError, BlobId, BlobReader};
use behalf_web::{ByteRange, attachment};
use http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, EXPIRES};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::error::StorageError;
use crate::object::Object;
use crate::state::Storage;
use headers::set;

pub(crate) use headers::head;
pub(crate) use info::{ObjectInfo, info};
pub(crate) use readable::{public, readable};

/// How a client wants an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish<'a> {
    /// The name under which browsers save it; empty for its own. None if they show it.
    pub(crate) download: Option<&'a str>,
    /// Until when the address is valid, as in the header `expires`.
    pub(crate) expires: Option<&'a str>,
}

/// Answers with the bytes, or with the part of them that the request asks for.
pub(crate) async fn get(
    storage: &Storage,
    request: &HeaderMap,
    object: &Object,
    wish: Wish<'_>,
) -> Result<Response, StorageError> {
    let mut answer = headers::of_bytes(object);
    match wish.expires {
        Some(expires) => set(&mut answer, EXPIRES, expires),
        None => headers::cache(&mut answer, request, object, "stale-while-revalidate=30"),
    }
    if conditions::not_modified(request, object) {
        return Ok(headers::not_modified(&answer));
    }
    let read = read(storage, object, conditions::range(request, object)).await;
    let (reader, range) = match read {
        Ok(read) => read,
        Err(Unread::Range(size)) => return Ok(unsatisfiable(size)),
        Err(Unread::Gone) => return Ok(gone()),
        Err(Unread::Failed(error)) => return Err(error),
    };
    answer.insert(CONTENT_LENGTH, HeaderValue::from(range.map_or(reader.size, ByteRange::length)));
    if let Some(range) = range {
        set(&mut answer, CONTENT_RANGE, &range.of(reader.size));
    }
    if let Some(name) = wish.download {
        set(&mut answer, CONTENT_DISPOSITION, &attachment(name));
    }
    let status = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    Ok((status, answer, Body::from_stream(reader)).into_response())
}

/// Why bytes are not read.
enum Unread {
    /// There is no such part of so many bytes.
    Range(u64),
    /// The row names bytes that are not there.
    Gone,
    /// The host failed.
    Failed(StorageError),
}

/// The bytes, and which part of them they are.
async fn read(
    storage: &Storage,
    object: &Object,
    wanted: Option<&str>,
) -> Result<(BlobReader, Option<ByteRange>), Unread> {
    let Some(id) = object.version.as_deref().and_then(|version| version.parse::<BlobId>().ok()) else {
        tracing::error!("a row of an object names no bytes");
        return Err(Unread::Gone);
    };
    // The row says how many bytes there are; whoever may change the row may have made it say anything.
    let mut size = object.number("size").unwrap_or_default();
    loop {
        let range = wanted.map(|wanted| ByteRange::parse(wanted, size));
        let part = range.and_then(Result::ok);
        let reader = match storage.blobs.read(id, part.map(ByteRange::bounds)).await {
            Ok(reader) => reader,
            Err(BlobError::Range { size: real }) if real != size => {
                size = real;
                continue;
            }
            Err(BlobError::Range { size }) => return Err(Unread::Range(size)),
            // The store of bytes has said so in the log.
            Err(BlobError::Gone) => return Err(Unread::Gone),
            Err(error) => return Err(Unread::Failed(error.into())),
        };
        match range {
            None => return Ok((reader, None)),
            // The store knows the size better.
            Some(_) if reader.size != size => size = reader.size,
            Some(Ok(range)) => return Ok((reader, Some(range))),
            Some(Err(_)) => return Err(Unread::Range(size)),
        }
    }
}

/// There is no such part.
fn unsatisfiable(size: u64) -> Response {
    let error = StorageError::new(416, "InvalidRange", "invalid range provided")
        .named("invalid_range")
        .answered(StatusCode::RANGE_NOT_SATISFIABLE);
    let mut response = error.into_response();
    set(response.headers_mut(), CONTENT_RANGE, &format!("bytes */{size}"));
    response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    response
}

/// The bytes are gone, or never were.
fn gone() -> Response {
    let error = StorageError::new(404, "NoSuchKey", "The resource was not found").named("Not found");
    let mut response = error.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
