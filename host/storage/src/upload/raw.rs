//! An object that is the whole body of a request.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;

use super::facts::{ANY_TYPE, Facts, NO_CACHE, check_header};
use super::rules::Rules;
use super::sent::{self, Sent};
use super::{Upload, Uploaded, finish, store};
use crate::error::StorageError;
use crate::state::Storage;

/// Takes the object.
pub(super) async fn receive(
    storage: &Storage,
    parts: &Parts,
    body: Body,
    rules: &Rules,
    robots: Option<String>,
    upload: Upload<'_>,
) -> Result<Uploaded, StorageError> {
    let headers = &parts.headers;
    let mime_type = match headers.get(CONTENT_TYPE) {
        Some(value) => value.to_str().unwrap_or_default(),
        None => ANY_TYPE,
    };
    check_header(mime_type)?;
    rules.check_type(mime_type)?;
    let facts = Facts {
        mime_type: mime_type.to_owned(),
        cache_control: sent::text(headers, CACHE_CONTROL.as_str()).unwrap_or(NO_CACHE).to_owned(),
        robots,
    };
    let length = sent::length(headers);
    rules.check_length(length)?;
    let sent = Sent { facts, user_metadata: sent::header_metadata(headers), length }.check()?;
    let stored = store(storage, upload, rules, &sent, body.into_data_stream()).await?;
    finish(storage, upload, &sent, stored).await
}
