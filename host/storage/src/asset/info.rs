//! What is known of an object, as JSON.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::headers::{set, version};
use crate::object::Object;

/// What is known of an object.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = StorageObjectInfo)]
pub(crate) struct ObjectInfo {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Which bytes it has.
    version: Option<String>,
    /// Its bucket.
    bucket_id: String,
    /// How many bytes.
    size: Option<u64>,
    /// Their media type.
    content_type: Option<String>,
    /// The header `cache-control` of downloads.
    cache_control: Option<String>,
    /// The tag of the bytes.
    etag: Option<String>,
    /// What the uploader keeps of it.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Value>,
    /// When it was last changed.
    last_modified: Option<String>,
    /// When it was made.
    created_at: Option<String>,
}

/// The answer with what is known.
pub(crate) fn info(object: Object) -> Response {
    let mut headers = HeaderMap::new();
    version(&mut headers, &object);
    if let Some(cache_control) = object.text("cacheControl") {
        set(&mut headers, CACHE_CONTROL, cache_control);
    }
    let text = |name| object.text(name).map(str::to_owned);
    let known = ObjectInfo {
        size: object.number("size"),
        content_type: text("mimetype"),
        cache_control: text("cacheControl"),
        etag: text("eTag"),
        id: object.id,
        name: object.name,
        version: object.version,
        bucket_id: object.bucket,
        metadata: object.user_metadata,
        last_modified: object.updated_at,
        created_at: object.created_at,
    };
    (StatusCode::OK, headers, Json(known)).into_response()
}
