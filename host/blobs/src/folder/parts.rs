//! Files of the folder that come in parts. Bytes behind the offset that is kept count for nothing: they are written over.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use cap_std::fs::{OpenOptions, OpenOptionsExt as _};
use futures::Stream;

use super::{Folder, PIECE};
use crate::acts::Acts;
use crate::error::{BlobError, WriteError};
use crate::hash::Hash;
use crate::id::BlobId;
use crate::intake::Intake;

impl Folder {
    /// Appends bytes at the offset, and returns the new offset with its hash. If this fails, the file ends where it did.
    pub(crate) async fn append<S, E>(
        &self,
        id: BlobId,
        acts: &Acts,
        (offset, hash): (u64, Hash),
        intake: Intake<'_, S, E>,
    ) -> Result<(u64, Hash), WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let appended = self.append_pieces(id, acts, (offset, hash), intake).await;
        if appended.is_err() {
            let folder = self.clone();
            let cut = move || folder.open_part(id, false)?.set_len(offset);
            match acts.run_blocking(cut).await {
                Ok(()) | Err(BlobError::Gone) => {}
                Err(error) => return Err(error.into()),
            }
        }
        appended
    }

    async fn append_pieces<S, E>(
        &self,
        id: BlobId,
        acts: &Acts,
        (mut offset, mut hash): (u64, Hash),
        mut intake: Intake<'_, S, E>,
    ) -> Result<(u64, Hash), WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let mut open: Option<File> = None;
        loop {
            let piece = intake.next(PIECE).await?;
            intake.lease().renew_if_due().await?;
            let (folder, file, mut own) = (self.clone(), open.take(), hash);
            let write = move || {
                let file = file.map_or_else(|| folder.open_part(id, true), Ok)?;
                file.write_all_at(&piece.bytes, offset)?;
                own.update(&piece.bytes);
                if piece.is_last {
                    file.sync_data()?;
                    folder.sync(Self::shard(id))?;
                }
                Ok((file, own, piece.bytes.len() as u64, piece.is_last))
            };
            let (file, written, size, is_last) = acts.run_blocking(write).await?;
            hash = written;
            offset += size;
            if is_last {
                return Ok((offset, hash));
            }
            open = Some(file);
        }
    }

    /// Ends it at the offset.
    pub(crate) async fn finish(&self, id: BlobId, acts: &Acts, offset: u64) -> Result<(), BlobError> {
        let folder = self.clone();
        let finish = move || {
            let file = folder.open_part(id, offset == 0)?;
            if file.metadata()?.len() < offset {
                return Err(io::ErrorKind::NotFound.into());
            }
            file.set_len(offset)?;
            file.sync_all()?;
            folder.sync(Self::shard(id))
        };
        acts.run_blocking(finish).await
    }

    fn open_part(&self, id: BlobId, create: bool) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(create).mode(0o600);
        Ok(self.dir.open_with(Self::path(id), &options)?.into_std())
    }
}
