//! Whether a store can be used: writes, reads and deletes a few bytes there, which are in no list.

use bytes::Bytes;
use futures::{TryStreamExt as _, stream};
use uuid::Uuid;

use crate::acts::Acts;
use crate::backend::Backend;
use crate::error::{BlobError, OpenError, WriteError};
use crate::id::BlobId;
use crate::intake::Intake;
use crate::lease::Lease;
use crate::options::BlobPlace;

const PROBE: &[u8] = b"a few bytes that check whether this place can be used";

/// Checks a place, for a program that has no list of its bytes.
pub async fn check_place(place: &BlobPlace) -> Result<(), OpenError> {
    let backend = Backend::open(place).await?;
    check(&backend).await.map_err(|error| OpenError::Store(Box::new(error)))
}

pub(crate) async fn check(backend: &Backend) -> Result<(), BlobError> {
    let id = BlobId(Uuid::new_v4());
    let tried = write_and_read(backend, id).await;
    let removed = backend.remove(vec![id]).await;
    tried?;
    removed.into_iter().try_for_each(|(_, removed)| removed)
}

async fn write_and_read(backend: &Backend, id: BlobId) -> Result<(), BlobError> {
    let source = stream::iter([Ok::<_, BlobError>(Bytes::from_static(PROBE))]);
    let mut lease = Lease::unlisted();
    let limit = PROBE.len() as u64;
    let written = backend.write(id, &Acts::default(), limit, Intake::new(source, limit, &mut lease)).await;
    match written {
        Ok(_) => {}
        Err(WriteError::Blob(error) | WriteError::Source(error)) => return Err(error),
        Err(WriteError::TooLarge(_)) => return Err(BlobError::Full),
    }
    let read: Vec<Bytes> = backend.read(id, None).await?.try_collect().await.map_err(BlobError::from_io)?;
    if read.concat() == PROBE { Ok(()) } else { Err(BlobError::Gone) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_checked_by_using_it() {
        let dir = tempfile::tempdir().expect("a folder");
        check_place(&BlobPlace::Folder(dir.path().join("new/store"))).await.expect("it can be used");
        let file = dir.path().join("file");
        std::fs::write(&file, "x").expect("a file");
        assert!(check_place(&BlobPlace::Folder(file)).await.is_err());
    }
}
