//! Objects for tools: the same rows and bytes as those of the routes, under the same policies, as the tool's caller.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use behalf_blobs::{BlobId, BlobPurpose, WriteError};
use behalf_caller_db::{AppLimits, FixedAccess, FixedRequest, FixedRow, FixedSetting};
use behalf_sandbox::{
    ListedObject, NewContent, ObjectCaller, ObjectError, ObjectFuture, ObjectList, ObjectPage, ObjectPath, ObjectStore,
    OpenObject,
};
use futures::{FutureExt as _, StreamExt as _, stream};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::asset::readable;
use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};
use crate::object::{NewObject, Overwrite};
use crate::routes::reader::owner;
use crate::state::Storage;
use crate::store::objects::{self, ActAs};
use crate::store::visible::array;
use crate::upload::facts::{self, ANY_TYPE, Facts, NO_CACHE};
use crate::url_signer::UrlSigner;

/// What policies see: the operations of the routes.
const LIST: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.list_v2'"];
const READ: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.get_authenticated'"];
const WRITE: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.upload'"];
const SIGN: &[FixedSetting] = &["SET LOCAL storage.operation = 'storage.object.sign'"];
const REMOVE: &[FixedSetting] =
    &["SET LOCAL storage.operation = 'storage.object.delete'", "SET LOCAL storage.allow_delete_query = 'true'"];

/// Names are compared by their bytes, as the index has them; the last parameter asks for one more than a page has.
const OBJECTS: &str = "select o.name, o.metadata ->> 'size', o.metadata ->> 'mimetype',
         to_char(o.updated_at at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')
     from storage.objects o
     where o.bucket_id = $1::text and o.name collate \"C\" >= $2::text
       and o.name collate \"C\" < storage.behalf_behind($2::text) and o.name collate \"C\" > $3::text
     order by o.name collate \"C\" limit $4::text::bigint";

/// Bytes of a page: 1,000 names, types and times.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What stays as it is in the path of an address.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The objects of `/storage/v1`, for tools.
#[derive(Clone)]
pub struct ToolObjects(Storage);

impl fmt::Debug for ToolObjects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ToolObjects")
    }
}

impl ToolObjects {
    /// The objects of this feature.
    pub fn new(storage: Storage) -> Self {
        Self(storage)
    }

    async fn listed(&self, caller: ObjectCaller<'_>, list: ObjectList<'_>) -> Result<ObjectPage, StorageError> {
        let bucket = BucketId::parse(list.bucket)?;
        let limit = list.limit.saturating_add(1).to_string();
        let request = FixedRequest {
            principal: caller.principal,
            key: caller.key,
            access: FixedAccess::Read,
            settings: LIST,
            text: OBJECTS,
            params: &[Some(bucket.as_str()), Some(list.prefix), Some(list.cursor.unwrap_or_default()), Some(&limit)],
            limits: AppLimits { max_bytes: PAGE_BYTES, deadline: caller.deadline },
        };
        let rows = self.0.caller_db.run_fixed(request).await?;
        let mut objects: Vec<_> = rows.iter().filter_map(listed_object).collect();
        let limit = usize::try_from(list.limit).unwrap_or(usize::MAX);
        let has_more = objects.len() > limit;
        objects.truncate(limit);
        let next = objects.last().filter(|_| has_more).map(|last| last.name.clone());
        Ok(ObjectPage { objects, next })
    }

    async fn opened(&self, caller: ObjectCaller<'_>, path: ObjectPath<'_>) -> Result<OpenObject, StorageError> {
        let object = readable(&self.0, Some(act(&caller, READ)), path.bucket, path.name).await?;
        let id = object.version.as_deref().and_then(|version| BlobId::from_str(version).ok());
        let bytes = self.0.blobs.read(id.ok_or_else(StorageError::no_object)?, None).await?;
        let content_type = object.text("mimetype").unwrap_or(ANY_TYPE).to_owned();
        Ok(OpenObject { size: bytes.size, content_type, bytes: bytes.boxed() })
    }

    /// As an upload over HTTP: the right to write is tried first, then the bytes are stored, and then the row makes them visible.
    async fn written(
        &self,
        caller: ObjectCaller<'_>,
        path: ObjectPath<'_>,
        content: NewContent<'_>,
    ) -> Result<(), StorageError> {
        let (bucket, name) = parsed(path)?;
        facts::check_header(content.content_type)?;
        let look = objects::bucket(&self.0, bucket.as_str()).await?.ok_or_else(StorageError::no_bucket)?;
        facts::check_allowed(content.content_type, &look.allowed_mime_types)?;
        let most = self.0.options.file_size_limit;
        let most = look.file_size_limit.map_or(most, |limit| limit.min(most));
        let length = u64::try_from(content.bytes.len()).unwrap_or(u64::MAX);
        if length > most {
            return Err(too_large());
        }
        let overwrite = if content.upsert { Overwrite::Yes } else { Overwrite::No };
        let facts =
            Facts { mime_type: content.content_type.to_owned(), cache_control: NO_CACHE.to_owned(), robots: None };
        let owner = owner(caller.principal);
        let expected = facts.expected(Some(length));
        let row = NewObject {
            bucket: bucket.as_str(),
            name: name.as_str(),
            version: None,
            owner: owner.as_deref(),
            metadata: &expected,
            user_metadata: None,
        };
        objects::try_put(&self.0, act(&caller, WRITE), &row, overwrite).await?;
        let purpose = BlobPurpose::Object { bucket: bucket.as_str(), name: name.as_str() };
        let mut blob = self.0.blobs.begin(purpose).await?;
        let bytes = stream::iter([Ok::<_, Infallible>(content.bytes)]);
        let stored = blob.write(bytes, most).await.map_err(|error| match error {
            WriteError::TooLarge(_) => too_large(),
            WriteError::Source(never) => match never {},
            WriteError::Blob(error) => error.into(),
        })?;
        let (version, metadata) = (blob.id().to_string(), facts.stored(&stored));
        let row = NewObject { metadata: &metadata, user_metadata: Some("{}"), ..row.with_version(&version) };
        objects::put(&self.0, act(&caller, WRITE), &row, overwrite).await?;
        blob.keep();
        Ok(())
    }

    async fn removed(&self, caller: ObjectCaller<'_>, path: ObjectPath<'_>) -> Result<(), StorageError> {
        let (bucket, name) = parsed(path)?;
        let names = array(&[name.as_str().to_owned()]);
        let removed = objects::delete(&self.0, act(&caller, REMOVE), bucket.as_str(), &names).await?;
        if !removed.is_empty() {
            return Ok(());
        }
        // What the caller can read is there, and what the caller cannot is not.
        let found = objects::find(&self.0, act(&caller, READ), bucket.as_str(), name.as_str()).await?;
        Err(match found {
            Some(_) => StorageError::new(403, "AccessDenied", "Access denied"),
            None => StorageError::no_object(),
        })
    }

    async fn signed(
        &self,
        caller: ObjectCaller<'_>,
        path: ObjectPath<'_>,
        valid: Duration,
    ) -> Result<String, StorageError> {
        let (bucket, name) = parsed(path)?;
        readable(&self.0, Some(act(&caller, SIGN)), path.bucket, path.name).await?;
        let seconds = i64::try_from(valid.as_secs()).unwrap_or(i64::MAX);
        let token = UrlSigner::new(&self.0.options.signing_key).download(&bucket, &name, seconds)?;
        let [bucket, name] = [bucket.as_str(), name.as_str()].map(|text| utf8_percent_encode(text, IN_PATH));
        Ok(format!("{}/storage/v1/object/sign/{bucket}/{name}?token={token}", self.0.options.public_url))
    }
}

impl ObjectStore for ToolObjects {
    fn list<'a>(&'a self, caller: ObjectCaller<'a>, list: ObjectList<'a>) -> ObjectFuture<'a, ObjectPage> {
        async move { self.listed(caller, list).await.map_err(of_storage) }.boxed()
    }

    fn open<'a>(&'a self, caller: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, OpenObject> {
        async move { self.opened(caller, object).await.map_err(of_storage) }.boxed()
    }

    fn write<'a>(
        &'a self,
        caller: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        content: NewContent<'a>,
    ) -> ObjectFuture<'a, ()> {
        async move { self.written(caller, object, content).await.map_err(of_storage) }.boxed()
    }

    fn remove<'a>(&'a self, caller: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, ()> {
        async move { self.removed(caller, object).await.map_err(of_storage) }.boxed()
    }

    fn sign<'a>(
        &'a self,
        caller: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        valid: Duration,
    ) -> ObjectFuture<'a, String> {
        async move { self.signed(caller, object, valid).await.map_err(of_storage) }.boxed()
    }
}

fn act<'a>(caller: &ObjectCaller<'a>, settings: &'a [FixedSetting]) -> ActAs<'a> {
    ActAs { principal: caller.principal, key: caller.key, settings }
}

fn parsed(path: ObjectPath<'_>) -> Result<(BucketId, ObjectName), StorageError> {
    Ok((BucketId::parse(path.bucket)?, ObjectName::parse(path.name)?))
}

fn listed_object(row: &FixedRow) -> Option<ListedObject> {
    Some(ListedObject {
        name: row.text(0)?.to_owned(),
        size: row.text(1).and_then(|size| size.parse().ok()).unwrap_or_default(),
        content_type: row.text(2).unwrap_or(ANY_TYPE).to_owned(),
        updated_at: row.text(3).unwrap_or_default().to_owned(),
    })
}

fn too_large() -> StorageError {
    StorageError::new(413, "EntityTooLarge", "The object exceeded the maximum allowed size")
}

/// A failure as tools know it. What is the host's own says nothing more.
fn of_storage(error: StorageError) -> ObjectError {
    let code = match error.problem.status_code.as_str() {
        "404" => "not_found",
        "401" | "403" => "denied",
        "409" => "exists",
        "413" => "too_large",
        "400" | "415" | "422" => "invalid",
        "544" => return ObjectError { retryable: true, ..ObjectError::new("timeout", "the database took too long") },
        _ => return ObjectError::unavailable(),
    };
    ObjectError::new(code, error.problem.message)
}
