//! Bytes in a folder, opened through cap-std: no path leads out of it, and no name in it comes from a user.

mod parts;
mod read;
mod write;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt as _};

use crate::error::BlobError;
use crate::id::BlobId;

/// Bytes that are read or written at once: few enough to be kept for each of many clients, and enough that a change of threads does
/// not count.
const PIECE: usize = 128 * 1024;

/// A folder with bytes. Below it are 256 folders, by the first byte of the blob's id.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    dir: Arc<Dir>,
}

impl Folder {
    /// Opens the folder, and makes it where it is not there.
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        let path = path.to_owned();
        blocking(move || Self::open_blocking(&path)).await
    }

    fn open_blocking(path: &Path) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(builder.recursive(true), 0o700);
        builder.create(path)?;
        let dir = Dir::open_ambient_dir(path, ambient_authority())?;
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        let mut is_new = false;
        for first in 0..=u8::MAX {
            match dir.create_dir_with(hex::encode([first]), &builder) {
                Ok(()) => is_new = true,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let folder = Self { dir: Arc::new(dir) };
        if is_new {
            folder.sync(".")?;
        }
        Ok(folder)
    }

    /// Deletes the bytes of these, and says what came of each.
    pub(crate) async fn remove(&self, ids: Vec<BlobId>) -> Vec<(BlobId, Result<(), BlobError>)> {
        let folder = self.clone();
        let asked = ids.clone();
        let removed = blocking(move || Ok(folder.remove_blocking(&ids))).await;
        removed.unwrap_or_else(|error| {
            let text = error.to_string();
            asked.into_iter().map(|id| (id, Err(BlobError::from_io(io::Error::other(text.clone()))))).collect()
        })
    }

    fn remove_blocking(&self, ids: &[BlobId]) -> Vec<(BlobId, Result<(), BlobError>)> {
        let mut removed: Vec<(BlobId, io::Result<()>)> = ids.iter().map(|id| (*id, self.unlink(*id))).collect();
        // A file that came back with a crash would have no row that says so.
        let mut synced = BTreeMap::new();
        for (id, done) in removed.iter_mut().filter(|(_, done)| done.is_ok()) {
            let shard = Self::shard(*id);
            let sync = || self.sync(&shard).map_err(|error| error.kind());
            if let Err(kind) = synced.entry(shard.clone()).or_insert_with(sync) {
                *done = Err((*kind).into());
            }
        }
        removed.into_iter().map(|(id, done)| (id, done.map_err(BlobError::from_io))).collect()
    }

    fn unlink(&self, id: BlobId) -> io::Result<()> {
        match self.dir.remove_file(Self::path(id)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Makes what is in a folder survive a crash.
    fn sync(&self, folder: impl AsRef<Path>) -> io::Result<()> {
        self.dir.open(folder)?.into_std().sync_all()
    }

    fn shard(id: BlobId) -> String {
        hex::encode(id.0.as_bytes().get(..1).unwrap_or_default())
    }

    fn path(id: BlobId) -> PathBuf {
        Path::new(&Self::shard(id)).join(id.0.simple().to_string())
    }
}

/// Does work of the file system on a thread that may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

#[cfg(test)]
mod tests;
