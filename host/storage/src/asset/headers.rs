//! The headers of answers with objects.

use axum::response::{IntoResponse as _, Response};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::{conditions, script};
use crate::object::Object;
use crate::upload::robots;

/// What search engines may do with an object of which its uploader said nothing.
const NO_ROBOTS: &str = "none";

/// The form of moments in headers.
const HTTP_DATE: &str = "%a, %d %b %Y %H:%M:%S GMT";

/// Sets a header, if its value can be one.
pub(super) fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// The headers that describe the bytes.
pub(super) fn of_bytes(object: &Object) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    let sent_type = script::sent_type(object.text("mimetype"));
    set(&mut headers, CONTENT_TYPE, sent_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if script::may_run(sent_type) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(script::ONLY_SHOWN));
    }
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let allowed = object.text("xRobotsTag").filter(|value| robots::check(value).is_ok());
    set(&mut headers, HeaderName::from_static("x-robots-tag"), allowed.unwrap_or(NO_ROBOTS));
    version(&mut headers, object);
    headers
}

/// The headers that say which bytes these are.
pub(super) fn version(headers: &mut HeaderMap, object: &Object) {
    if let Some(tag) = object.text("eTag") {
        set(headers, ETAG, tag);
    }
    if let Some(modified) = conditions::modified(object) {
        set(headers, LAST_MODIFIED, &modified.format(HTTP_DATE).to_string());
    }
}

/// The header `cache-control`. A client that has other bytes hears `more` as well.
pub(super) fn cache(headers: &mut HeaderMap, request: &HeaderMap, object: &Object, more: &str) {
    let stored = object.text("cacheControl").filter(|text| !text.is_empty());
    let has_others = conditions::has_these(request, object) == Some(false);
    let words = [stored, has_others.then_some(more)];
    let text = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
    if !text.is_empty() {
        set(headers, CACHE_CONTROL, &text);
    }
}

/// The answer to a client that has the bytes already.
pub(super) fn not_modified(headers: &HeaderMap) -> Response {
    let mut kept = HeaderMap::with_capacity(4);
    for name in [ETAG, LAST_MODIFIED, CACHE_CONTROL, EXPIRES] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    (StatusCode::NOT_MODIFIED, kept).into_response()
}

/// The headers of the bytes without them, from the row alone.
pub(crate) fn head(request: &HeaderMap, object: &Object) -> Response {
    let mut headers = of_bytes(object);
    cache(&mut headers, request, object, "must-revalidate");
    if let Some(length) = object.number("contentLength").or_else(|| object.number("size")) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    (StatusCode::OK, headers).into_response()
}
