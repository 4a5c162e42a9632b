//! Gets a source's bytes into a file that the reader can read anywhere in.

use std::fs::File;
use std::path::Path;

use behalf_blobs::{BlobError, BlobReader};
use behalf_queue::Failure;
use futures::TryStreamExt as _;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::outcome::{FILE_GONE, Fault, UNREADABLE_BYTES};

/// What the row says of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected<'a> {
    /// How many there are, if that is known.
    pub(super) size: Option<u64>,
    /// Their SHA-256 in hex, if it is known.
    pub(super) hash: Option<&'a str>,
    /// The most that there may be.
    pub(super) most: u64,
}

/// Makes a file without a name. It is gone when it is closed, also where this host is killed.
pub(super) async fn unnamed(folder: &Path) -> Result<tokio::fs::File, Failure> {
    let folder = folder.to_owned();
    let made = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        tempfile::tempfile_in(&folder)
    });
    let file = made.await.map_err(Failure::retry)?.map_err(Failure::retry)?;
    Ok(tokio::fs::File::from_std(file))
}

/// Copies the bytes of a source to a file without a name. They are those that were uploaded, or it is a fault.
pub(super) async fn copied(
    opened: Result<BlobReader, BlobError>,
    folder: &Path,
    expected: Expected<'_>,
) -> Result<Result<File, Fault>, Failure> {
    let mut bytes = match opened {
        Ok(bytes) => bytes,
        Err(BlobError::Gone) => return Ok(Err(FILE_GONE)),
        Err(error) => return Err(Failure::retry(error)),
    };
    let size = bytes.size;
    if size > expected.most || expected.size.is_some_and(|expected| expected != size) {
        return Ok(Err(UNREADABLE_BYTES));
    }
    let mut file = unnamed(folder).await?;
    let (mut hash, mut copied) = (Sha256::new(), 0_u64);
    while let Some(piece) = bytes.try_next().await.map_err(Failure::retry)? {
        copied += piece.len() as u64;
        if copied > size {
            return Ok(Err(UNREADABLE_BYTES));
        }
        hash.update(&piece);
        file.write_all(&piece).await.map_err(Failure::retry)?;
    }
    file.flush().await.map_err(Failure::retry)?;
    let is_whole = copied == size;
    let is_same = expected.hash.is_none_or(|expected| hex::encode(hash.finalize()) == expected);
    Ok(if is_whole && is_same { Ok(file.into_std().await) } else { Err(UNREADABLE_BYTES) })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn expected(size: u64) -> Expected<'static> {
        Expected { size: Some(size), hash: None, most: 100 }
    }

    #[tokio::test]
    async fn a_file_that_is_gone_is_a_fault_and_a_store_that_fails_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let gone = copied(Err(BlobError::Gone), folder.path(), expected(1)).await.expect("it is the file's");
        assert_eq!(gone.err(), Some(FILE_GONE));
        assert!(copied(Err(BlobError::Full), folder.path(), expected(1)).await.is_err(), "it is tried again");
    }

    #[tokio::test]
    async fn a_file_without_a_name_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("made");
        let mut file = unnamed(&inner).await.expect("room");
        file.write_all(b"some text").await.expect("room");
        file.flush().await.expect("room");
        assert_eq!(std::fs::read_dir(&inner).expect("it is made").count(), 0);
        let file = file.into_std().await;
        let mut text = [0; 4];
        file.read_exact_at(&mut text, 5).expect("what was written");
        assert_eq!(&text, b"text");
        drop(file.take(1));
    }
}
