//! The objects that one call can reach, and the bounds of each operation on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_identity::{CallerKey, Principal};
use bytes::Bytes;
use futures::StreamExt as _;

use super::grant::StorageGrants;
use super::store::{
    NewContent, ObjectCaller, ObjectError, ObjectList, ObjectPage, ObjectPath, ObjectStore, OpenObject,
};
use crate::deadline::Deadline;
use crate::memory::Memory;

/// Bytes of an object that is read at once. A larger one has no place in the memory of most calls.
const MAX_READ: u64 = 16 * 1024 * 1024;
/// Objects of one page.
const MAX_PAGE: u32 = 1_000;
/// Bytes of a name, a prefix, a cursor or a media type; those of real objects are shorter.
const MAX_TEXT: usize = 2_048;
/// The longest time for which an address is valid: a week.
const MAX_VALID: u32 = 604_800;
/// The longest time for one statement.
const STATEMENT: Duration = Duration::from_secs(30);

/// The objects that one call can reach.
#[derive(Debug)]
pub(super) struct CallStorage {
    /// None where this host keeps no objects.
    pub(super) store: Option<Arc<dyn ObjectStore>>,
    pub(super) grant: StorageGrants,
    /// Whether the call may write.
    pub(super) writes: bool,
    pub(super) principal: Arc<Principal>,
    pub(super) key: CallerKey,
    pub(super) deadline: Deadline,
}

/// A guest's mistake as a WIT error inside, an end of the guest outside.
pub(super) type Done<T> = wasmtime::Result<Result<T, ObjectError>>;

impl CallStorage {
    fn store(&self) -> Result<&dyn ObjectStore, ObjectError> {
        self.store.as_deref().ok_or_else(|| ObjectError::new("unavailable", "this host keeps no files of the app"))
    }

    fn caller(&self) -> ObjectCaller<'_> {
        let left = self.deadline.at().saturating_duration_since(Instant::now());
        ObjectCaller { principal: &self.principal, key: self.key, deadline: left.min(STATEMENT) }
    }

    /// The object of a name that is well formed and granted.
    fn path<'a>(&self, bucket: &'a str, name: &'a str) -> Result<ObjectPath<'a>, ObjectError> {
        self.check_bucket(bucket)?;
        check_text(name)?;
        if name.split('/').any(|part| ["", ".", ".."].contains(&part)) {
            return Err(ObjectError::new(
                "invalid",
                "a name has no empty parts between its slashes, no `.` and no `..`",
            ));
        }
        if name.starts_with(self.grant.folder()) { Ok(ObjectPath { bucket, name }) } else { Err(no_object()) }
    }

    fn check_bucket(&self, bucket: &str) -> Result<(), ObjectError> {
        check_text(bucket)?;
        if self.grant.has_bucket(bucket) { Ok(()) } else { Err(ObjectError::new("not_found", "Bucket not found")) }
    }

    fn check_writes(&self) -> Result<(), ObjectError> {
        let refused =
            "this tool may read objects but not write them; an operator decides that with the plugin's grants";
        if self.writes { Ok(()) } else { Err(ObjectError::new("not_granted", refused)) }
    }

    /// A page of a list.
    pub(super) async fn list(&self, memory: &Memory, list: ObjectList<'_>) -> Done<ObjectPage> {
        let asked = self.check_bucket(list.bucket).and_then(|()| {
            check_text(list.prefix)?;
            list.cursor.map_or(Ok(()), check_text)?;
            match list.limit {
                1..=MAX_PAGE => self.store(),
                _ => Err(ObjectError::new("invalid", format!("a page has 1 to {MAX_PAGE} objects"))),
            }
        });
        let store = match asked {
            Ok(store) => store,
            Err(error) => return Ok(Err(error)),
        };
        let Some(prefix) = self.grant.narrowed(list.prefix) else { return Ok(Ok(ObjectPage::default())) };
        let page = match store.list(self.caller(), ObjectList { prefix, ..list }).await {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        let texts = page
            .objects
            .iter()
            .map(|one| size_of_val(one) + one.name.len() + one.content_type.len() + one.updated_at.len());
        // With the copy that the guest gets.
        let _charge = memory.charge(texts.sum::<usize>().saturating_mul(2))?;
        Ok(Ok(page))
    }

    /// The bytes of an object and their media type.
    pub(super) async fn read(&self, memory: &Memory, bucket: &str, name: &str, max: u64) -> Done<(Vec<u8>, String)> {
        let opened = match self.path(bucket, name).and_then(|path| Ok((self.store()?, path))) {
            Ok((store, path)) => store.open(self.caller(), path).await,
            Err(error) => Err(error),
        };
        let object = match opened {
            Ok(object) => object,
            Err(error) => return Ok(Err(error)),
        };
        let most = max.min(MAX_READ);
        let size = usize::try_from(object.size).ok().filter(|_| object.size <= most);
        let Some(size) = size else {
            let message = format!(
                "the object has {} bytes, and this call reads at most {most}; a signed URL leads to all of it",
                object.size
            );
            return Ok(Err(ObjectError::new("too_large", message)));
        };
        // With the copy that the guest gets.
        let _charge = memory.charge(size.saturating_mul(2))?;
        Ok(collect(object, size).await)
    }

    /// Writes an object.
    pub(super) async fn write(
        &self,
        memory: &Memory,
        (bucket, name): (&str, &str),
        bytes: Vec<u8>,
        (content_type, upsert): (&str, bool),
    ) -> Done<()> {
        let _charge = memory.charge(bytes.len())?;
        let asked = self.path(bucket, name).and_then(|path| {
            self.check_writes()?;
            check_text(content_type)?;
            Ok((self.store()?, path))
        });
        Ok(match asked {
            Ok((store, path)) => {
                let content = NewContent { bytes: Bytes::from(bytes), content_type, upsert };
                store.write(self.caller(), path, content).await
            }
            Err(error) => Err(error),
        })
    }

    /// Removes an object.
    pub(super) async fn remove(&self, bucket: &str, name: &str) -> Result<(), ObjectError> {
        let path = self.path(bucket, name)?;
        self.check_writes()?;
        self.store()?.remove(self.caller(), path).await
    }

    /// An address to read an object at.
    pub(super) async fn sign(&self, bucket: &str, name: &str, seconds: u32) -> Result<String, ObjectError> {
        let path = self.path(bucket, name)?;
        if !(1..=MAX_VALID).contains(&seconds) {
            return Err(ObjectError::new("invalid", format!("an address is valid for 1 to {MAX_VALID} seconds")));
        }
        self.store()?.sign(self.caller(), path, Duration::from_secs(u64::from(seconds))).await
    }
}

fn no_object() -> ObjectError {
    ObjectError::new("not_found", "Object not found")
}

fn check_text(text: &str) -> Result<(), ObjectError> {
    if text.len() <= MAX_TEXT && !text.contains('\0') {
        Ok(())
    } else {
        Err(ObjectError::new("invalid", format!("names have at most {MAX_TEXT} bytes, and no zero byte")))
    }
}

async fn collect(mut object: OpenObject, size: usize) -> Result<(Vec<u8>, String), ObjectError> {
    let mut bytes = Vec::with_capacity(size);
    while let Some(piece) = object.bytes.next().await {
        let piece = piece.map_err(|_| ObjectError::unavailable())?;
        if bytes.len() + piece.len() > size {
            return Err(ObjectError::unavailable());
        }
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() == size { Ok((bytes, object.content_type)) } else { Err(ObjectError::unavailable()) }
}
