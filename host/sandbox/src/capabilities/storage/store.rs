//! The trait through which a host reads and writes objects for guests.

use std::fmt::Debug;
use std::io;
use std::time::Duration;

use behalf_identity::{CallerKey, Principal};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;

/// Reads and writes objects. The feature that owns them implements it.
pub trait ObjectStore: Debug + Send + Sync {
    /// The objects of a bucket whose names begin with a prefix, in the order of their names.
    fn list<'a>(&'a self, caller: ObjectCaller<'a>, list: ObjectList<'a>) -> ObjectFuture<'a, ObjectPage>;

    /// Opens an object. It is looked up as its caller; its bytes come after.
    fn open<'a>(&'a self, caller: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, OpenObject>;

    /// Writes a whole object; nothing of it is kept where that fails.
    fn write<'a>(
        &'a self,
        caller: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        content: NewContent<'a>,
    ) -> ObjectFuture<'a, ()>;

    /// Removes an object.
    fn remove<'a>(&'a self, caller: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, ()>;

    /// An address at which anybody can read the object for a time.
    fn sign<'a>(
        &'a self,
        caller: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        valid: Duration,
    ) -> ObjectFuture<'a, String>;
}

/// What an operation gives.
pub type ObjectFuture<'a, T> = BoxFuture<'a, Result<T, ObjectError>>;

/// As whom an operation is done, and how long each of its statements may take.
#[derive(Clone, Copy, Debug)]
pub struct ObjectCaller<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// Whose share of the connections it uses.
    pub key: CallerKey,
    /// The time for a statement.
    pub deadline: Duration,
}

/// Which object.
#[derive(Clone, Copy, Debug)]
pub struct ObjectPath<'a> {
    /// The id of its bucket.
    pub bucket: &'a str,
    /// Its name in the bucket.
    pub name: &'a str,
}

/// Which objects to list.
#[derive(Clone, Copy, Debug)]
pub struct ObjectList<'a> {
    /// The id of the bucket.
    pub bucket: &'a str,
    /// How their names begin.
    pub prefix: &'a str,
    /// How many at most.
    pub limit: u32,
    /// The cursor of the page before.
    pub cursor: Option<&'a str>,
}

/// A part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects.
    pub objects: Vec<ListedObject>,
    /// The cursor of the next page.
    pub next: Option<String>,
}

/// An object of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// Its name in the bucket.
    pub name: String,
    /// How many bytes it has.
    pub size: u64,
    /// Its media type.
    pub content_type: String,
    /// When it was written last, as RFC 3339.
    pub updated_at: String,
}

/// An object that can be read.
pub struct OpenObject {
    /// How many bytes it has.
    pub size: u64,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

impl Debug for OpenObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenObject").field("size", &self.size).finish_non_exhaustive()
    }
}

/// An object to write.
#[derive(Clone, Debug)]
pub struct NewContent<'a> {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its media type.
    pub content_type: &'a str,
    /// Whether it replaces the object of its name.
    pub upsert: bool,
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectError {
    /// `not_found`, `denied`, `too_large`, `exists`, `invalid`, `not_granted`, `timeout`, `limit`, `unavailable`.
    pub code: &'static str,
    /// One or two sentences, safe to show to a model.
    pub message: String,
    /// Whether the same operation may succeed later, unchanged.
    pub retryable: bool,
}

impl ObjectError {
    /// A failure that stays one.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// A failure of the host's own, which may be over soon.
    pub fn unavailable() -> Self {
        let message = "the host cannot reach its files now; try again shortly".to_owned();
        Self { code: "unavailable", message, retryable: true }
    }
}
