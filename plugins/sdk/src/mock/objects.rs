//! The objects of a mocked host. No policy holds here: what a test put there and what the tool wrote exists.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::bindings::behalf::tool::storage::{Content, Error, Page, StoredObject};

/// When every object was written.
const WRITTEN: &str = "2026-01-01T00:00:00Z";

#[derive(Debug, Default)]
pub(super) struct Objects {
    /// By bucket and name.
    all: BTreeMap<(String, String), Content>,
    failure: Option<Error>,
}

impl Objects {
    pub(super) fn put(&mut self, bucket: &str, name: &str, bytes: &[u8], content_type: &str) {
        let content = Content { bytes: bytes.to_vec(), content_type: content_type.into() };
        self.all.insert(key(bucket, name), content);
    }

    pub(super) fn get(&self, bucket: &str, name: &str) -> Option<&Content> {
        self.all.get(&key(bucket, name))
    }

    pub(super) fn fail(&mut self, failure: Error) {
        self.failure = Some(failure);
    }

    pub(super) fn list(&self, bucket: &str, prefix: &str, limit: u32, cursor: Option<&str>) -> Result<Page, Error> {
        self.check()?;
        let begin = cursor.map_or(Bound::Included(key(bucket, prefix)), |cursor| Bound::Excluded(key(bucket, cursor)));
        let found = self.all.range((begin, Bound::Unbounded));
        let found = found.filter(|((of, name), _)| of == bucket && name.starts_with(prefix));
        let mut objects: Vec<_> = found.take(limit as usize + 1).map(|((_, name), one)| listed(name, one)).collect();
        let has_more = objects.len() > limit as usize;
        objects.truncate(limit as usize);
        let next = objects.last().filter(|_| has_more).map(|last| last.name.clone());
        Ok(Page { objects, next })
    }

    pub(super) fn read(&self, bucket: &str, name: &str, max_bytes: u64) -> Result<Content, Error> {
        self.check()?;
        let content = self.get(bucket, name).ok_or_else(no_object)?;
        if content.bytes.len() as u64 > max_bytes {
            return Err(error("too_large", "the object is larger than the call reads"));
        }
        Ok(content.clone())
    }

    pub(super) fn write(
        &mut self,
        (bucket, name): (&str, &str),
        bytes: &[u8],
        content_type: &str,
        upsert: bool,
    ) -> Result<(), Error> {
        self.check()?;
        if !upsert && self.get(bucket, name).is_some() {
            return Err(error("exists", "The resource already exists"));
        }
        self.put(bucket, name, bytes, content_type);
        Ok(())
    }

    pub(super) fn remove(&mut self, bucket: &str, name: &str) -> Result<(), Error> {
        self.check()?;
        self.all.remove(&key(bucket, name)).map(drop).ok_or_else(no_object)
    }

    pub(super) fn sign(&self, bucket: &str, name: &str, seconds: u32) -> Result<String, Error> {
        self.check()?;
        self.get(bucket, name).ok_or_else(no_object)?;
        Ok(format!("https://files.test/{bucket}/{name}?seconds={seconds}"))
    }

    fn check(&self) -> Result<(), Error> {
        self.failure.clone().map_or(Ok(()), Err)
    }
}

fn key(bucket: &str, name: &str) -> (String, String) {
    (bucket.into(), name.into())
}

fn listed(name: &str, content: &Content) -> StoredObject {
    StoredObject {
        name: name.into(),
        size: content.bytes.len() as u64,
        content_type: content.content_type.clone(),
        updated_at: WRITTEN.into(),
    }
}

fn no_object() -> Error {
    error("not_found", "Object not found")
}

fn error(code: &str, message: &str) -> Error {
    Error { code: code.into(), message: message.into(), retryable: false }
}

#[cfg(test)]
mod tests {
    use crate::mock::Host;
    use crate::storage;

    #[test]
    fn objects_are_listed_by_pages_and_read_as_they_were_written() {
        let host = Host::new();
        for name in ["a/1", "a/2", "a/3", "b/1"] {
            host.put_object("files", name, "text/plain", name);
        }
        host.put_object("other", "a/4", "text/plain", "");
        let page = storage::list("files", "a/", 2, None).expect("a page");
        assert_eq!(page.next.as_deref(), Some("a/2"));
        let page = storage::list("files", "a/", 2, page.next.as_deref()).expect("a page");
        assert_eq!((page.objects[0].name.as_str(), page.objects.len(), page.next), ("a/3", 1, None));
        storage::write("files", "a/1", b"new", "text/csv").expect("written");
        assert_eq!(storage::create("files", "a/1", b"", "text/csv").expect_err("an error").code, "exists");
        assert_eq!(storage::read_text("files", "a/1", 10).as_deref(), Ok("new"));
        assert_eq!(storage::read("files", "a/1", 2).expect_err("an error").code, "too_large");
        assert_eq!(host.object("files", "a/1"), Some(("text/csv".into(), b"new".to_vec())));
        storage::remove("files", "a/1").expect("removed");
        assert_eq!(storage::read("files", "a/1", 10).expect_err("an error").code, "not_found");
        host.fail_storage("denied", "The file is not yours.");
        let error = storage::remove("files", "a/2").expect_err("an error");
        assert_eq!(crate::Error::from(error), crate::Error::denied("The file is not yours."));
    }
}
