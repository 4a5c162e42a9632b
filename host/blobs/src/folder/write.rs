//! Writes files of the folder.

use std::fs::File;
use std::io::{self, Write as _};

use bytes::Bytes;
use cap_std::fs::{OpenOptions, OpenOptionsExt as _};
use chrono::Utc;
use futures::Stream;

use super::{Folder, PIECE};
use crate::acts::{Act, Acts};
use crate::error::WriteError;
use crate::hash::Hash;
use crate::id::BlobId;
use crate::intake::Intake;
use crate::writer::Stored;

/// A file that is being written. It has its own name from the start: nothing names it before it is complete.
struct Draft {
    file: File,
    hash: Hash,
    size: u64,
}

impl Draft {
    fn write(mut self, bytes: &[u8]) -> io::Result<Self> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(self)
    }
}

impl Folder {
    /// Writes a blob whose file is not there yet. If this fails, the file is left for [`Folder::remove`].
    pub(crate) async fn write<S, E>(
        &self,
        id: BlobId,
        acts: &Acts,
        mut intake: Intake<'_, S, E>,
    ) -> Result<Stored, WriteError<E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Send,
    {
        let mut writing: Option<Act<Draft>> = None;
        let draft = loop {
            let piece = intake.next(PIECE).await?;
            if let Some(failure) = intake.failure() {
                return Err(WriteError::Source(failure));
            }
            // This piece came while the one before it was written.
            let draft = match writing.take() {
                Some(act) => Some(act.end().await?),
                None => None,
            };
            intake.lease().renew_if_due().await?;
            let folder = self.clone();
            let write = move || {
                let draft = draft.map_or_else(|| folder.create(id), Ok)?.write(&piece.bytes)?;
                if piece.is_last {
                    draft.file.sync_data()?;
                    folder.sync(Self::shard(id))?;
                }
                Ok(draft)
            };
            let act = acts.begin_blocking(write).await?;
            if piece.is_last {
                break act.end().await?;
            }
            writing = Some(act);
        };
        Ok(Stored { size: draft.size, etag: draft.hash.etag(), modified: Utc::now() })
    }

    fn create(&self, id: BlobId) -> io::Result<Draft> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = self.dir.open_with(Self::path(id), &options)?.into_std();
        Ok(Draft { file, hash: Hash::default(), size: 0 })
    }
}
