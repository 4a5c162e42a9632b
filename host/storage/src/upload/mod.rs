//! Takes the bytes of an object from a request, and then writes its row.
//!
//! The right to write is tried before the first byte and rolled back; the bytes are stored under a name that nothing knows; then the
//! row is written as the caller, and with it the object is there, whole. No transaction is open while bytes come. Whatever fails
//! before that drops [`NewBlob`], and with it the bytes.

pub(crate) mod facts;
mod form;
pub(crate) mod places;
mod raw;
pub(crate) mod robots;
mod rules;
mod sent;

use std::convert::Infallible;

use axum::body::Body;
use behalf_blobs::{BlobPurpose, NewBlob, Stored, WriteError};
use behalf_identity::CallerKey;
use bytes::Bytes;
use futures::{Stream, stream};
use http::request::Parts;
use serde_json::Value;

use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};
use crate::object::{NewObject, Overwrite};
use crate::state::Storage;
use crate::store::{ActAs, objects};
use facts::{Facts, NO_CACHE};
use rules::Rules;
use sent::Sent;

/// What a request uploads, and who lets it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Upload<'a> {
    /// The bucket.
    pub(crate) bucket: &'a BucketId,
    /// The name, which is not checked yet.
    pub(crate) name: &'a str,
    /// Whose the object is.
    pub(crate) owner: Option<&'a str>,
    /// Whether an object of this name is replaced.
    pub(crate) overwrite: Overwrite,
    /// Who lets it.
    pub(crate) by: LetBy<'a>,
}

/// Who lets an object be written.
#[derive(Clone, Copy, Debug)]
pub(crate) enum LetBy<'a> {
    /// The policies, for this caller.
    Policies(ActAs<'a>),
    /// A signed address: whoever made it was allowed to. Whoever sends the bytes uses this share of the host.
    Signature(CallerKey),
}

impl LetBy<'_> {
    /// Whose share of the host is used.
    fn key(self) -> CallerKey {
        match self {
            Self::Policies(caller) => caller.key(),
            Self::Signature(sender) => sender,
        }
    }
}

/// An object that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uploaded {
    /// Its id.
    pub(crate) id: String,
    /// Its bucket and name.
    pub(crate) key: String,
}

/// Takes an object from the body of a request: as it is, or as the file of a form.
pub(crate) async fn upload(
    storage: &Storage,
    parts: &Parts,
    body: Body,
    upload: Upload<'_>,
) -> Result<Uploaded, StorageError> {
    let _place = storage.uploads.take(upload.by.key()).await?;
    let rules = rules(storage, upload).await?;
    let robots = sent::robots(&parts.headers)?;
    if sent::is_form(&parts.headers) {
        Box::pin(form::receive(storage, parts, body, &rules, robots, upload)).await
    } else {
        raw::receive(storage, parts, body, &rules, robots, upload).await
    }
}

/// Takes an object whose bytes are here already.
pub(crate) async fn write_whole(
    storage: &Storage,
    mime_type: &str,
    bytes: Bytes,
    upload: Upload<'_>,
) -> Result<Uploaded, StorageError> {
    let _place = storage.uploads.take(upload.by.key()).await?;
    facts::check_header(mime_type)?;
    let rules = rules(storage, upload).await?;
    rules.check_type(mime_type)?;
    let length = u64::try_from(bytes.len()).ok();
    rules.check_length(length)?;
    let facts = Facts { mime_type: mime_type.to_owned(), cache_control: NO_CACHE.to_owned(), robots: None };
    let sent = Sent { facts, user_metadata: None, length }.check()?;
    let stored = store(storage, upload, &rules, &sent, stream::iter([Ok::<_, Infallible>(bytes)])).await?;
    finish(storage, upload, &sent, stored).await
}

/// What the bucket takes under the name.
async fn rules(storage: &Storage, upload: Upload<'_>) -> Result<Rules, StorageError> {
    let bucket = objects::bucket(storage, upload.bucket.as_str()).await?.ok_or_else(StorageError::no_bucket)?;
    Ok(Rules::new(bucket, upload.name, storage.options.file_size_limit))
}

/// Stores the bytes, if the caller may write such an object.
async fn store<S, E>(
    storage: &Storage,
    upload: Upload<'_>,
    rules: &Rules,
    sent: &Sent,
    bytes: S,
) -> Result<(NewBlob, Stored), StorageError>
where
    S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
    E: Send,
{
    let name = ObjectName::parse(upload.name)?;
    if let LetBy::Policies(caller) = upload.by {
        let (metadata, user_metadata) = (sent.facts.expected(sent.length), sent.user_metadata_json());
        let row = NewObject {
            bucket: upload.bucket.as_str(),
            name: name.as_str(),
            version: None,
            owner: upload.owner,
            metadata: &metadata,
            user_metadata: user_metadata.as_deref(),
        };
        objects::try_put(storage, caller, &row, upload.overwrite).await?;
    }
    let purpose = BlobPurpose::Object { bucket: upload.bucket.as_str(), name: name.as_str() };
    let mut blob = storage.blobs.begin(purpose).await?;
    let stored = blob.write(bytes, rules.size_limit()).await.map_err(of_write)?;
    Ok((blob, stored))
}

/// Writes the row, which makes the object visible.
async fn finish(
    storage: &Storage,
    upload: Upload<'_>,
    sent: &Sent,
    (blob, stored): (NewBlob, Stored),
) -> Result<Uploaded, StorageError> {
    let (version, metadata) = (blob.id().to_string(), sent.facts.stored(&stored));
    let user_metadata = Value::Object(sent.user_metadata.clone().unwrap_or_default()).to_string();
    let row = NewObject {
        bucket: upload.bucket.as_str(),
        name: upload.name,
        version: Some(&version),
        owner: upload.owner,
        metadata: &metadata,
        user_metadata: Some(&user_metadata),
    };
    let id = match upload.by {
        LetBy::Policies(caller) => objects::put(storage, caller, &row, upload.overwrite).await?,
        LetBy::Signature(_) => objects::put_as_owner(storage, &row, upload.overwrite).await?,
    };
    blob.keep();
    Ok(Uploaded { id, key: format!("{}/{}", upload.bucket.as_str(), upload.name) })
}

fn of_write<E>(error: WriteError<E>) -> StorageError {
    match error {
        WriteError::TooLarge(_) => too_large("object"),
        WriteError::Source(_) => cut_short(),
        WriteError::Blob(error) => error.into(),
    }
}

/// There is more than is allowed.
fn too_large(what: &'static str) -> StorageError {
    StorageError::new(413, "EntityTooLarge", format!("The {what} exceeded the maximum allowed size"))
        .named("Payload too large")
}

/// The body ended before it was whole.
fn cut_short() -> StorageError {
    invalid("Request stream closed before upload could complete")
}

/// The request has not the form of an upload.
fn invalid(message: &'static str) -> StorageError {
    StorageError::new(400, "InvalidRequest", message)
}
