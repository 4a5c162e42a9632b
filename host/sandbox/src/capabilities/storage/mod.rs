//! `behalf:tool/storage`: the app's buckets and objects, as the caller.

mod call;
pub(crate) mod grant;
pub(crate) mod records;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;

use super::base::UNAVAILABLE;
use super::capability::{CallSetup, Capability, HasView, Holds, PrepareError, View, prepared, require_import};
use crate::bindings::behalf::tool::storage::{Content, Error, Host, Page, StoredObject, add_to_linker};
use crate::grants::{GrantError, Grants};
use crate::guest_time::timed;
use crate::imports::ImportedInterface;
use crate::options::{SandboxError, SandboxOptions};
use crate::versions::{Interface, Version};
use call::CallStorage;
use records::{Records, StorageRecord};
use store::{ObjectError, ObjectList, ObjectPage, ObjectStore};

/// The objects of one call. The default has none.
#[derive(Debug, Default)]
pub(crate) struct StorageCtx {
    prepared: Option<Arc<CallStorage>>,
    records: Records,
    spent: Duration,
}

impl StorageCtx {
    /// Time that the host itself worked on objects. Time in which it waited is not counted.
    pub(crate) fn host_time(&self) -> Duration {
        self.spent
    }

    /// What the call did with objects, for the audit log.
    pub(crate) fn take_records(&mut self) -> Vec<StorageRecord> {
        self.records.take()
    }
}

impl View<'_, StorageCtx> {
    /// Begins an operation, and its record.
    fn begin(&mut self, operation: &'static str) -> wasmtime::Result<Result<Arc<CallStorage>, Error>> {
        self.base.host_calls.count()?;
        let call = Arc::clone(prepared(self.ctx.prepared.as_ref())?);
        Ok(if self.ctx.records.begin(operation) {
            Ok(call)
        } else {
            Err(convert_error(ObjectError::new("limit", "this call used too many objects; do the rest in another one")))
        })
    }

    /// Waits for an operation, and ends its record. `bytes` says how many were read or written.
    async fn run<T>(
        &mut self,
        bucket: &str,
        work: impl Future<Output = call::Done<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> wasmtime::Result<Result<T, Error>> {
        let mut spent = Duration::ZERO;
        let result = timed(work, &mut spent).await;
        self.ctx.spent += spent;
        let result = result?;
        if let Some(record) = self.ctx.records.current() {
            record.error = result.as_ref().err().map(|error| error.code);
            record.bytes = result.as_ref().map_or(0, |done| u64::try_from(bytes(done)).unwrap_or(u64::MAX));
            // A bucket that is not there is a text of the guest's own.
            let is_there = !matches!(record.error, Some("not_found" | "invalid"));
            record.bucket = is_there.then(|| bucket.to_owned());
        }
        self.base.met_outage |= result.as_ref().is_err_and(|error| error.code == UNAVAILABLE && error.retryable);
        Ok(result.map_err(convert_error))
    }
}

/// Leaves a host function with the error that a guest gets.
macro_rules! begun {
    ($view:expr, $operation:literal) => {
        match $view.begin($operation)? {
            Ok(call) => call,
            Err(error) => return Ok(Err(error)),
        }
    };
}

impl Host for View<'_, StorageCtx> {
    async fn list_objects(
        &mut self,
        bucket: String,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<Page, Error>> {
        let call = begun!(self, "storage.list");
        let memory = self.base.memory.clone();
        let list = ObjectList { bucket: &bucket, prefix: &prefix, limit, cursor: cursor.as_deref() };
        let listed = self.run(&bucket, call.list(&memory, list), |_| 0).await?;
        Ok(listed.map(page))
    }

    async fn read(&mut self, bucket: String, name: String, max_bytes: u64) -> wasmtime::Result<Result<Content, Error>> {
        let call = begun!(self, "storage.read");
        let memory = self.base.memory.clone();
        let read = call.read(&memory, &bucket, &name, max_bytes);
        let read = self.run(&bucket, read, |(bytes, _)| bytes.len()).await?;
        Ok(read.map(|(bytes, content_type)| Content { bytes, content_type }))
    }

    async fn write(
        &mut self,
        bucket: String,
        name: String,
        bytes: Vec<u8>,
        content_type: String,
        upsert: bool,
    ) -> wasmtime::Result<Result<(), Error>> {
        let call = begun!(self, "storage.write");
        let (memory, count) = (self.base.memory.clone(), bytes.len());
        let write = call.write(&memory, (&bucket, &name), bytes, (&content_type, upsert));
        self.run(&bucket, write, |()| count).await
    }

    async fn remove(&mut self, bucket: String, name: String) -> wasmtime::Result<Result<(), Error>> {
        let call = begun!(self, "storage.remove");
        self.run(&bucket, async { Ok(call.remove(&bucket, &name).await) }, |()| 0).await
    }

    async fn signed_url(
        &mut self,
        bucket: String,
        name: String,
        expires_in: u32,
    ) -> wasmtime::Result<Result<String, Error>> {
        let call = begun!(self, "storage.sign");
        self.run(&bucket, async { Ok(call.sign(&bucket, &name, expires_in).await) }, |_| 0).await
    }
}

fn page(page: ObjectPage) -> Page {
    let object = |one: store::ListedObject| StoredObject {
        name: one.name,
        size: one.size,
        content_type: one.content_type,
        updated_at: one.updated_at,
    };
    Page { objects: page.objects.into_iter().map(object).collect(), next: page.next }
}

fn convert_error(error: ObjectError) -> Error {
    Error { code: error.code.to_owned(), message: error.message, retryable: error.retryable }
}

/// The app's buckets and objects, where they were granted.
#[derive(Debug)]
pub(crate) struct Storage {
    store: Option<Arc<dyn ObjectStore>>,
}

impl Capability for Storage {
    type Ctx = StorageCtx;
    type Granted = ();

    fn open(options: &SandboxOptions) -> Result<Self, SandboxError> {
        Ok(Self { store: options.objects.clone() })
    }

    fn interface(version: Version) -> Option<Interface> {
        match version {
            Version::V0_1 => Some(Interface {
                name: "storage",
                functions: &["list-objects", "read", "write", "remove", "signed-url"],
            }),
        }
    }

    fn is_granted(grants: &Grants) -> bool {
        grants.storage().is_some()
    }

    fn validate_grant(grants: &Grants, imports: &[ImportedInterface], _: &[String]) -> Result<(), GrantError> {
        let Some(grant) = grants.storage() else { return Ok(()) };
        require_import(imports, "storage", "behalf:tool/storage")?;
        grant.check()
    }

    fn exceeds(mine: &Grants, theirs: &Grants) -> Option<&'static str> {
        let mine = mine.storage()?;
        theirs.storage().map_or(Some("buckets"), |theirs| mine.exceeds(theirs))
    }

    fn link<T: Holds<Self>>(linker: &mut Linker<T>, version: Version) -> wasmtime::Result<()> {
        match version {
            Version::V0_1 => add_to_linker::<T, HasView<Self>>(linker, T::view),
        }
    }

    async fn prepare(
        &self,
        (): &Self::Granted,
        call: &mut CallSetup<'_>,
        view: View<'_, Self::Ctx>,
    ) -> Result<(), PrepareError> {
        let Some(grant) = call.grants.storage() else { return Ok(()) };
        view.ctx.prepared = Some(Arc::new(CallStorage {
            store: self.store.clone(),
            grant: grant.clone(),
            writes: call.request.effects.writes_objects(),
            principal: Arc::clone(&call.request.principal),
            key: call.request.key,
            deadline: call.deadline.clone(),
        }));
        Ok(())
    }
}
