//! Objects for tools: the same rows and bytes as those of the routes, under the same policies, as the tool's caller.

use std::fmt;
use std::str::FromStr as _;
use std::time::Duration;

use behalf_blobs::BlobId;
use behalf_caller_db::{FixedRow, FixedSetting};
use behalf_sandbox::{
    ListedObject, NewContent, ObjectCaller, ObjectError, ObjectFuture, ObjectList, ObjectPage, ObjectPath, ObjectStore,
    OpenObject,
};
use futures::{FutureExt as _, StreamExt as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::asset::readable;
use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};
use crate::object::Overwrite;
use crate::state::Storage;
use crate::store::visible::array;
use crate::store::{ActAs, objects};
use crate::upload::facts::ANY_TYPE;
use crate::upload::{LetBy, Upload, write_whole};
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
        let params = [Some(bucket.as_str()), Some(list.prefix), Some(list.cursor.unwrap_or_default()), Some(&limit)];
        let rows = act(&caller, LIST).within(caller.deadline, PAGE_BYTES).read(&self.0, OBJECTS, &params).await?;
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

    /// As an upload over HTTP.
    async fn written(
        &self,
        caller: ObjectCaller<'_>,
        path: ObjectPath<'_>,
        content: NewContent<'_>,
    ) -> Result<(), StorageError> {
        let (bucket, name) = parsed(path)?;
        let caller = act(&caller, WRITE);
        let owner = caller.owner();
        let upload = Upload {
            bucket: &bucket,
            name: name.as_str(),
            owner: owner.as_deref(),
            overwrite: if content.upsert { Overwrite::Yes } else { Overwrite::No },
            by: LetBy::Policies(caller),
        };
        write_whole(&self.0, content.content_type, content.bytes, upload).await.map(drop)
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
    ActAs::new(caller.principal, caller.key, settings)
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
