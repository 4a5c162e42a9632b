//! An object that is the file of a form, beside fields that describe it.
//!
//! The file streams. Fields count before and after it: those after a large file describe the row, when the bytes are stored.

use axum::body::Body;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request};
use behalf_blobs::{NewBlob, Stored};
use behalf_web::{FormGauge, Held};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::request::Parts;

use super::facts::{ANY_TYPE, Facts, NO_CACHE};
use super::rules::Rules;
use super::sent::{self, Sent};
use super::{Upload, Uploaded, finish, invalid, store, too_large};
use crate::error::StorageError;
use crate::object::user_metadata;
use crate::state::Storage;

/// Fields beside the file.
const MAX_FIELDS: usize = 10;
/// Bytes of one field, and of all of them.
const MAX_FIELD_BYTES: usize = 1024 * 1024;
/// Bytes of a form that are not its file: the fields, and what is around them.
const MAX_AROUND: u64 = 2 * 1024 * 1024;
/// A file up to this size is read whole before the right to write is tried, so that policies see fields that come after it.
const SMALL_FILE: usize = 16 * 1024;

/// The fields that describe a file.
#[derive(Debug, Default)]
struct Fields {
    count: usize,
    bytes: usize,
    cache_control: Option<String>,
    metadata: Option<String>,
    user_metadata: Option<String>,
    content_type: Option<String>,
}

/// The file, as far as it was read.
enum File {
    /// All of it is here.
    Small(Vec<Bytes>),
    /// Its bytes are stored.
    Stored((NewBlob, Stored)),
}

/// Takes the object.
pub(super) async fn receive(
    storage: &Storage,
    parts: &Parts,
    body: Body,
    rules: &Rules,
    robots: Option<String>,
    upload: Upload<'_>,
) -> Result<Uploaded, StorageError> {
    let length = sent::length(&parts.headers);
    rules.check_length(length.map(|length| length.saturating_sub(MAX_AROUND)))?;
    let (mut form, held) = open(parts, body).await?;
    let (mut fields, mut file, mut file_type) = (Fields::default(), None, None);
    while let Some(mut field) = form.next_field().await.map_err(|error| unreadable(&error))? {
        held.clear();
        if !is_file(&field) {
            fields.read(field, &held).await?;
            continue;
        }
        if file.is_some() {
            return Err(invalid("reach files limit"));
        }
        file_type = header_type(&field);
        let (begin, is_whole) = begin(&mut field, &held).await?;
        file = Some(if is_whole {
            File::Small(begin)
        } else {
            let sent = fields.sent(file_type.as_deref(), robots.clone(), length)?;
            rules.check_type(&sent.facts.mime_type)?;
            let rest = field.inspect(|_| held.clear());
            let bytes = stream::iter(begin.into_iter().map(Ok)).chain(rest);
            File::Stored(store(storage, upload, rules, &sent, bytes).await?)
        });
    }
    let sent = fields.sent(file_type.as_deref(), robots, length)?;
    let Some(file) = file else { return Err(invalid("No content provided")) };
    rules.check_type(&sent.facts.mime_type)?;
    let stored = match file {
        File::Stored(stored) => stored,
        File::Small(pieces) => {
            let bytes = stream::iter(pieces.into_iter().map(Ok::<_, std::convert::Infallible>));
            store(storage, upload, rules, &sent, bytes).await?
        }
    };
    finish(storage, upload, &sent, stored).await
}

/// The form of a request. Its reader gets no more than it makes progress with.
async fn open(parts: &Parts, body: Body) -> Result<(Multipart, Held), StorageError> {
    let (gauge, held) = FormGauge::new(body.into_data_stream());
    let mut request = Request::new(Body::from_stream(gauge));
    if let Some(content_type) = parts.headers.get(CONTENT_TYPE) {
        request.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    // The limit of the bucket counts, and the file is never in memory.
    DefaultBodyLimit::disable().apply(&mut request);
    let form = Multipart::from_request(request, &()).await.map_err(|_| invalid("Multipart: Boundary not found"))?;
    Ok((form, held))
}

/// Whether a part is the file: clients give it a name of its own, or the type of any bytes.
fn is_file(field: &Field<'_>) -> bool {
    field.file_name().is_some() || header_type(field).is_some_and(|one| one == ANY_TYPE)
}

/// The type that a part says it has.
fn header_type(field: &Field<'_>) -> Option<String> {
    sent::text(field.headers(), CONTENT_TYPE.as_str()).map(str::to_owned)
}

/// The beginning of a file, and whether that is all of it.
async fn begin(field: &mut Field<'_>, held: &Held) -> Result<(Vec<Bytes>, bool), StorageError> {
    let (mut pieces, mut size) = (Vec::new(), 0);
    while size <= SMALL_FILE {
        let Some(piece) = field.chunk().await.map_err(|error| unreadable(&error))? else { return Ok((pieces, true)) };
        held.clear();
        size += piece.len();
        pieces.push(piece);
    }
    Ok((pieces, false))
}

impl Fields {
    async fn read(&mut self, mut field: Field<'_>, held: &Held) -> Result<(), StorageError> {
        self.count += 1;
        if self.count > MAX_FIELDS {
            return Err(invalid("reach fields limit"));
        }
        let mut text = Vec::new();
        while let Some(piece) = field.chunk().await.map_err(|error| unreadable(&error))? {
            held.clear();
            self.bytes += piece.len();
            if self.bytes > MAX_FIELD_BYTES {
                return Err(too_large("user_metadata"));
            }
            text.extend_from_slice(&piece);
        }
        let text = String::from_utf8(text).map_err(|_| invalid("a field of the form is not UTF-8"))?;
        match field.name() {
            Some("cacheControl") => self.cache_control = Some(text),
            Some("metadata") => self.metadata = Some(text),
            Some("userMetadata") => self.user_metadata = Some(text),
            Some("contentType") => self.content_type = Some(text),
            _ => {}
        }
        Ok(())
    }

    /// What the fields say so far of a file with this type.
    fn sent(&self, file_type: Option<&str>, robots: Option<String>, length: Option<u64>) -> Result<Sent, StorageError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let facts = Facts {
            mime_type: given(&self.content_type).unwrap_or_else(|| file_type.unwrap_or(ANY_TYPE).to_owned()),
            cache_control: given(&self.cache_control).map_or(NO_CACHE.to_owned(), |age| format!("max-age={age}")),
            robots,
        };
        let json = self.metadata.as_ref().or(self.user_metadata.as_ref());
        Sent { facts, user_metadata: json.and_then(|json| user_metadata(json.as_bytes())), length }.check()
    }
}

/// The form is no form, or ended in the middle.
fn unreadable(error: &MultipartError) -> StorageError {
    // Its text may quote the form, which is the client's own.
    StorageError::new(400, "InvalidRequest", error.body_text())
}
