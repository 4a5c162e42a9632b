//! The functions of `wasi:filesystem`, with a quota in front of those that write.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode, Filesize,
    Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::super::streams::charged_input;
use super::quota::{Quota, Used};
use super::stream::{MeteredStream, growth};
use super::workspaces::OpenWorkspace;
use crate::memory::{Charge, Memory};

/// Folders that a guest lists at the same time; each listing is kept in the host's memory.
const MAX_LISTINGS: usize = 8;

/// Bytes of an entry in a listing: the longest name, and its place.
const LISTED: usize = 320;

/// One more file or link.
const ENTRY: Used = Used { bytes: 0, entries: 1, folders: 0 };
/// One more folder.
const FOLDER: Used = Used { bytes: 0, entries: 1, folders: 1 };

/// Files of one call. Without a workspace there is no folder to begin from, so nothing can be opened.
#[derive(Debug, Default)]
pub(crate) struct FilesCtx {
    quota: Option<Arc<Quota>>,
    /// Each with the charge for its names, by its place in the table.
    listings: HashMap<u32, Charge>,
    /// A folder of one call is removed when this is dropped.
    _workspace: Option<OpenWorkspace>,
}

impl FilesCtx {
    pub(super) fn new(workspace: &OpenWorkspace) -> Self {
        Self { quota: Some(Arc::clone(&workspace.quota)), ..Self::default() }
    }

    /// Keeps the workspace until the call ends.
    pub(super) fn keeping(self, workspace: OpenWorkspace) -> Self {
        Self { _workspace: Some(workspace), ..self }
    }
}

/// WASI's own file system, with a quota in front of the functions that write.
pub(super) struct FilesView<'a> {
    pub(super) inner: WasiFilesystemCtxView<'a>,
    pub(super) files: &'a mut FilesCtx,
    pub(super) memory: Memory,
}

impl FilesView<'_> {
    fn quota(&self) -> FsResult<&Arc<Quota>> {
        self.files.quota.as_ref().ok_or_else(|| ErrorCode::NotPermitted.into())
    }

    async fn reserve(&mut self, more: Used) -> FsResult<()> {
        self.quota()?.reserve(more).await.map_err(|_| ErrorCode::InsufficientSpace.into())
    }

    fn file(&self, fd: &Resource<Descriptor>) -> FsResult<Arc<std::fs::File>> {
        match self.inner.table.get(fd)? {
            Descriptor::File(file) => Ok(Arc::clone(&file.file)),
            Descriptor::Dir(_) => Err(ErrorCode::IsDirectory.into()),
        }
    }

    /// Puts the quota in front of a stream.
    fn metered(
        &mut self,
        stream: Resource<DynOutputStream>,
        file: Arc<std::fs::File>,
        position: Option<u64>,
    ) -> FsResult<Resource<DynOutputStream>> {
        let inner = self.inner.table.delete(stream)?;
        let quota = Arc::clone(self.quota()?);
        let memory = self.memory.clone();
        let stream: DynOutputStream = Box::new(MeteredStream { inner, file, position, quota, memory });
        Ok(self.inner.table.push(stream)?)
    }
}

/// Functions that need no quota are WASI's own.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $kind:ty),*) -> $out:ty;)*) => {
        $(async fn $name(&mut self, $($arg: $kind),*) -> $out {
            self.inner.$name($($arg),*).await
        })*
    };
}

type Fd = Resource<Descriptor>;

impl HostDescriptor for FilesView<'_> {
    pass_on! {
        advise(fd: Fd, offset: Filesize, len: Filesize, advice: Advice) -> FsResult<()>;
        sync_data(fd: Fd) -> FsResult<()>;
        sync(fd: Fd) -> FsResult<()>;
        get_flags(fd: Fd) -> FsResult<DescriptorFlags>;
        get_type(fd: Fd) -> FsResult<DescriptorType>;
        set_times(fd: Fd, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()>;
        read(fd: Fd, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)>;
        stat(fd: Fd) -> FsResult<DescriptorStat>;
        stat_at(fd: Fd, follow: PathFlags, path: String) -> FsResult<DescriptorStat>;
        set_times_at(fd: Fd, follow: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()>;
        readlink_at(fd: Fd, path: String) -> FsResult<String>;
        remove_directory_at(fd: Fd, path: String) -> FsResult<()>;
        rename_at(fd: Fd, old: String, to: Fd, new: String) -> FsResult<()>;
        unlink_file_at(fd: Fd, path: String) -> FsResult<()>;
        is_same_object(a: Fd, b: Fd) -> wasmtime::Result<bool>;
        metadata_hash(fd: Fd) -> FsResult<MetadataHashValue>;
        metadata_hash_at(fd: Fd, follow: PathFlags, path: String) -> FsResult<MetadataHashValue>;
    }

    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        let now = self.file(&fd)?.metadata()?.len();
        self.reserve(Used { bytes: size.saturating_sub(now), ..Used::default() }).await?;
        self.inner.set_size(fd, size).await
    }

    async fn write(&mut self, fd: Fd, bytes: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        // Until it is written; the disk may be slow.
        let _charge = self.memory.charge(bytes.len()).map_err(FsError::trap)?;
        let bytes_more = growth(&*self.file(&fd)?, Some(offset), bytes.len() as u64)?;
        self.reserve(Used { bytes: bytes_more, ..Used::default() }).await?;
        self.inner.write(fd, bytes, offset).await
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        if self.files.listings.len() >= MAX_LISTINGS {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        // A folder has no more entries than its workspace.
        let entries = usize::try_from(self.quota()?.used().entries).unwrap_or(usize::MAX);
        let charge = self.memory.charge(entries.saturating_mul(LISTED)).map_err(FsError::trap)?;
        let listing = self.inner.read_directory(fd).await?;
        self.files.listings.insert(listing.rep(), charge);
        Ok(listing)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.reserve(FOLDER).await?;
        self.inner.create_directory_at(fd, path).await
    }

    /// A file with two names could be counted neither once nor twice; no tool needs it.
    async fn link_at(&mut self, _: Fd, _: PathFlags, _: String, _: Fd, _: String) -> FsResult<()> {
        Err(ErrorCode::Unsupported.into())
    }

    async fn symlink_at(&mut self, fd: Fd, target: String, path: String) -> FsResult<()> {
        self.reserve(Used { bytes: target.len() as u64, ..ENTRY }).await?;
        self.inner.symlink_at(fd, target, path).await
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        follow: PathFlags,
        path: String,
        how: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        if !self.quota()?.may_open() {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        if how.contains(OpenFlags::CREATE) {
            self.reserve(ENTRY).await?;
        }
        let opened = self.inner.open_at(fd, follow, path, how, flags).await?;
        let handle = match self.inner.table.get(&opened)? {
            Descriptor::File(file) => &file.file,
            Descriptor::Dir(dir) => &dir.dir,
        };
        self.quota()?.opened(handle);
        Ok(opened)
    }

    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let stream = self.inner.read_via_stream(fd, offset)?;
        charged_input(self.inner.table, &stream, &self.memory).map_err(FsError::trap)?;
        Ok(stream)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(&fd)?;
        let stream = self.inner.write_via_stream(fd, offset)?;
        self.metered(stream, file, Some(offset))
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(&fd)?;
        let stream = self.inner.append_via_stream(fd)?;
        self.metered(stream, file, None)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        HostDescriptor::drop(&mut self.inner, fd)
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        listing: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.inner.read_directory_entry(listing).await
    }

    fn drop(&mut self, listing: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.files.listings.remove(&listing.rep());
        HostDirectoryEntryStream::drop(&mut self.inner, listing)
    }
}

impl Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Fd, String)>> {
        preopens::Host::get_directories(&mut self.inner)
    }
}
