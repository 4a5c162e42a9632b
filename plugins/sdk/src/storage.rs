//! The app's buckets and objects, as the caller: the app's policies decide which objects exist.
//!
//! A write or a removal is done at once. It is no part of the call's transaction, and stays where the call fails later.

use alloc::string::String;
use core::time::Duration;

pub use crate::bindings::behalf::tool::storage::{Content, Error, Page, StoredObject};

/// The objects whose names begin with `prefix`, in the order of their names: at most `limit` of them, after the `cursor` of the
/// page before.
pub fn list(bucket: &str, prefix: &str, limit: u32, cursor: Option<&str>) -> Result<Page, Error> {
    crate::door::storage::list_objects(bucket, prefix, limit, cursor)
}

/// Reads a whole object of at most `max_bytes` bytes.
pub fn read(bucket: &str, name: &str, max_bytes: u64) -> Result<Content, Error> {
    crate::door::storage::read(bucket, name, max_bytes)
}

/// Reads a whole object that is a text.
pub fn read_text(bucket: &str, name: &str, max_bytes: u64) -> Result<String, crate::Error> {
    let content = read(bucket, name, max_bytes)?;
    Ok(String::from_utf8(content.bytes)?)
}

/// Writes an object that does not exist yet; `exists` is the error's code where it does.
pub fn create(bucket: &str, name: &str, bytes: &[u8], content_type: &str) -> Result<(), Error> {
    crate::door::storage::write(bucket, name, bytes, content_type, false)
}

/// Writes an object, or replaces the one of this name.
pub fn write(bucket: &str, name: &str, bytes: &[u8], content_type: &str) -> Result<(), Error> {
    crate::door::storage::write(bucket, name, bytes, content_type, true)
}

/// Removes an object.
pub fn remove(bucket: &str, name: &str) -> Result<(), Error> {
    crate::door::storage::remove(bucket, name)
}

/// An address at which whoever has it can read the object for a time, without any other right.
pub fn signed_url(bucket: &str, name: &str, valid: Duration) -> Result<String, Error> {
    crate::door::storage::signed_url(bucket, name, u32::try_from(valid.as_secs()).unwrap_or(u32::MAX))
}
