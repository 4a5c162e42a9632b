//! Reads files of the folder.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use tokio::task::JoinHandle;

use super::{Folder, PIECE, blocking};
use crate::error::BlobError;
use crate::id::BlobId;
use crate::reader::{BlobReader, resolve};

/// The next bytes of a file, and what is left of it.
struct Next {
    bytes: Bytes,
    left: Option<(File, Range<u64>)>,
}

impl Folder {
    /// Reads a blob, or a part of it. A small one is read at once.
    pub(crate) async fn read(&self, id: BlobId, range: Option<Range<u64>>) -> Result<BlobReader, BlobError> {
        let folder = self.clone();
        let open = move || -> io::Result<Result<(u64, Next), BlobError>> {
            let file = folder.dir.open(Self::path(id))?.into_std();
            let size = file.metadata()?.len();
            let range = match resolve(range, size) {
                Ok(range) => range,
                Err(error) => return Ok(Err(error)),
            };
            let piece = piece(&range);
            Ok(Ok((size, next(file, range, piece)?)))
        };
        let (size, first) = blocking(open).await.map_err(BlobError::from_io)??;
        let beginning = stream::once(std::future::ready(Ok(first.bytes)));
        let Some((file, left)) = first.left else { return Ok(BlobReader { size, bytes: beginning.boxed() }) };
        let ahead = read_ahead(file, left);
        let rest = stream::try_unfold(Some(ahead), |ahead: Option<JoinHandle<io::Result<Next>>>| async move {
            let Some(ahead) = ahead else { return Ok(None) };
            let next_piece = ahead.await.map_err(io::Error::other)??;
            // The next piece is read while this one is sent.
            let ahead = next_piece.left.map(|(file, left)| read_ahead(file, left));
            Ok(Some((next_piece.bytes, ahead)))
        });
        Ok(BlobReader { size, bytes: beginning.chain(rest).boxed() })
    }
}

/// Begins to read the next piece. Its memory comes from the thread that frees it: threads that may wait are many and take turns, and the
/// allocator would keep some for each.
fn read_ahead(file: File, left: Range<u64>) -> JoinHandle<io::Result<Next>> {
    let piece = piece(&left);
    tokio::task::spawn_blocking(move || next(file, left, piece))
}

/// Memory for the next piece of a range.
fn piece(range: &Range<u64>) -> Vec<u8> {
    vec![0; usize::try_from(range.end - range.start).unwrap_or(PIECE).min(PIECE)]
}

fn next(file: File, range: Range<u64>, mut piece: Vec<u8>) -> io::Result<Next> {
    file.read_exact_at(&mut piece, range.start)?;
    let start = range.start + piece.len() as u64;
    let left = (start < range.end).then_some((file, start..range.end));
    Ok(Next { bytes: piece.into(), left })
}
