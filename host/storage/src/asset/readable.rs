//! Which objects a request may read.

use crate::error::StorageError;
use crate::name::{BucketId, ObjectName};
use crate::object::Object;
use crate::state::Storage;
use crate::store::{ActAs, objects};

/// The object that the caller may read, or that everybody may. Without a caller, buckets that are not public are not there.
pub(crate) async fn readable(
    storage: &Storage,
    caller: Option<ActAs<'_>>,
    bucket: &str,
    name: &str,
) -> Result<Object, StorageError> {
    let bucket = BucketId::parse(bucket).map_err(|_| StorageError::no_bucket())?;
    let parsed = ObjectName::parse(name);
    let mut why = StorageError::no_object();
    if let (Some(caller), Ok(name)) = (caller, &parsed) {
        // What the policies show is answered in one round trip; only what they hide needs a look at the bucket.
        match objects::find(storage, caller, bucket.as_str(), name.as_str()).await {
            Ok(Some(object)) => return Ok(object),
            Ok(None) => {}
            Err(error) => why = error,
        }
    }
    let found = objects::look(storage, bucket.as_str(), parsed.as_ref().map_or("", ObjectName::as_str)).await?;
    let Some((look, object)) = found else { return Err(StorageError::no_bucket()) };
    match (look.public, caller) {
        (false, None) => Err(StorageError::no_bucket()),
        (false, Some(_)) => Err(parsed.err().unwrap_or(why)),
        (true, _) => parsed.and_then(|_| object.ok_or_else(StorageError::no_object)),
    }
}

/// The object of a public bucket.
pub(crate) async fn public(storage: &Storage, bucket: &str, name: &str) -> Result<Object, StorageError> {
    let (bucket, name) = (BucketId::parse(bucket)?, ObjectName::parse(name)?);
    match objects::look(storage, bucket.as_str(), name.as_str()).await? {
        Some((look, object)) if look.public => object.ok_or_else(StorageError::no_object),
        _ => Err(StorageError::no_bucket()),
    }
}
