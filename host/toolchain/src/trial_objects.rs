//! Objects in memory, for one command: each caller has buckets of their own, and every bucket exists.
//!
//! A command tries a component, not the app: its policies are tried on a host with `/storage/v1`.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use behalf_identity::CallerKey;
use behalf_sandbox::{
    ListedObject, NewContent, ObjectCaller, ObjectError, ObjectFuture, ObjectList, ObjectPage, ObjectPath, ObjectStore,
    OpenObject,
};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{FutureExt as _, StreamExt as _};

/// Bytes of one object, as of a bucket without a limit of its own.
const MAX_BYTES: usize = 50 * 1024 * 1024;

/// Objects in memory.
#[derive(Debug, Default)]
pub(crate) struct TrialObjects {
    all: Mutex<HashMap<CallerKey, Buckets>>,
    denied: AtomicBool,
}

/// By bucket and name.
type Buckets = BTreeMap<(String, String), Object>;

#[derive(Clone, Debug)]
struct Object {
    bytes: Bytes,
    content_type: String,
    updated_at: DateTime<Utc>,
}

impl TrialObjects {
    /// Makes every operation fail, or no longer.
    pub(crate) fn deny(&self, denied: bool) {
        self.denied.store(denied, Ordering::Relaxed);
    }

    /// Deletes all objects.
    pub(crate) fn clear(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn with<T>(
        &self,
        caller: &ObjectCaller<'_>,
        work: impl FnOnce(&mut Buckets) -> Result<T, ObjectError>,
    ) -> Result<T, ObjectError> {
        if self.denied.load(Ordering::Relaxed) {
            return Err(ObjectError::new("denied", "new row violates row-level security policy for table \"objects\""));
        }
        work(self.all.lock().unwrap_or_else(PoisonError::into_inner).entry(caller.key).or_default())
    }
}

impl ObjectStore for TrialObjects {
    fn list<'a>(&'a self, caller: ObjectCaller<'a>, list: ObjectList<'a>) -> ObjectFuture<'a, ObjectPage> {
        let page = self.with(&caller, |buckets| Ok(page(buckets, list)));
        std::future::ready(page).boxed()
    }

    fn open<'a>(&'a self, caller: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, OpenObject> {
        let found = self.with(&caller, |buckets| buckets.get(&key(object)).cloned().ok_or_else(no_object));
        let opened = found.map(|Object { bytes, content_type, .. }| OpenObject {
            size: bytes.len() as u64,
            content_type,
            bytes: futures::stream::iter([Ok(bytes)]).boxed(),
        });
        std::future::ready(opened).boxed()
    }

    fn write<'a>(
        &'a self,
        caller: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        content: NewContent<'a>,
    ) -> ObjectFuture<'a, ()> {
        let written = self.with(&caller, |buckets| {
            if content.bytes.len() > MAX_BYTES {
                return Err(ObjectError::new("too_large", "The object exceeded the maximum allowed size"));
            }
            if !content.upsert && buckets.contains_key(&key(object)) {
                return Err(ObjectError::new("exists", "The resource already exists"));
            }
            let content_type = content.content_type.to_owned();
            buckets.insert(key(object), Object { bytes: content.bytes, content_type, updated_at: Utc::now() });
            Ok(())
        });
        std::future::ready(written).boxed()
    }

    fn remove<'a>(&'a self, caller: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, ()> {
        let removed = self.with(&caller, |buckets| buckets.remove(&key(object)).map(drop).ok_or_else(no_object));
        std::future::ready(removed).boxed()
    }

    fn sign<'a>(
        &'a self,
        caller: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        valid: Duration,
    ) -> ObjectFuture<'a, String> {
        let found =
            self.with(&caller, |buckets| if buckets.contains_key(&key(object)) { Ok(()) } else { Err(no_object()) });
        let ObjectPath { bucket, name } = object;
        let url = found.map(|()| format!("https://objects.invalid/{bucket}/{name}?seconds={}", valid.as_secs()));
        std::future::ready(url).boxed()
    }
}

fn key(object: ObjectPath<'_>) -> (String, String) {
    (object.bucket.to_owned(), object.name.to_owned())
}

fn no_object() -> ObjectError {
    ObjectError::new("not_found", "Object not found")
}

fn page(buckets: &Buckets, list: ObjectList<'_>) -> ObjectPage {
    let at = |name: &str| (list.bucket.to_owned(), name.to_owned());
    let begin = list.cursor.map_or_else(|| Bound::Included(at(list.prefix)), |cursor| Bound::Excluded(at(cursor)));
    let found = buckets.range((begin, Bound::Unbounded));
    let found = found.filter(|((bucket, name), _)| bucket == list.bucket && name.starts_with(list.prefix));
    let limit = list.limit as usize;
    let mut objects: Vec<_> = found.take(limit + 1).map(|((_, name), object)| listed(name, object)).collect();
    let has_more = objects.len() > limit;
    objects.truncate(limit);
    let next = objects.last().filter(|_| has_more).map(|last| last.name.clone());
    ObjectPage { objects, next }
}

fn listed(name: &str, object: &Object) -> ListedObject {
    ListedObject {
        name: name.to_owned(),
        size: object.bytes.len() as u64,
        content_type: object.content_type.clone(),
        updated_at: object.updated_at.to_rfc3339_opts(SecondsFormat::Millis, true),
    }
}
