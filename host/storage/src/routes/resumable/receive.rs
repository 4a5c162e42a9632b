//! Bytes of an upload, from the body of a request to the store of bytes.

use std::convert::Infallible;

use axum::body::Body;
use behalf_blobs::WriteError;

use super::answer::TusError;
use super::incoming::{End, Incoming};
use super::lock::UploadLock;
use crate::error::StorageError;
use crate::state::Storage;
use crate::store::uploads::{Renewal, Upload};

/// After so many bytes the upload's state is stored: that much a client sends again after a host was killed.
const PIECE: usize = 16 * 1024 * 1024;

/// Appends the body, at most `left` bytes of it, and stores what came, also where the rest of it did not come.
pub(super) async fn receive(
    storage: &Storage,
    lock: &UploadLock,
    upload: &mut Upload,
    body: Body,
    left: u64,
) -> Result<(), TusError> {
    let mut incoming = Incoming::new(body, left);
    let stop = incoming.stop();
    while incoming.end().is_none() {
        let appended = upload.parts.0.append(&storage.blobs, incoming.piece(PIECE), PIECE as u64);
        let appended = lock.hold(storage, || stop.set(), appended).await;
        upload.received = i64::try_from(upload.parts.0.offset()).unwrap_or(i64::MAX);
        let renewal = lock.store(storage, &upload.parts.0).await?;
        appended.map_err(refused)?;
        match renewal {
            Renewal::Kept => {}
            Renewal::Wanted => stop.set(),
            Renewal::Lost => return Err(TusError::taken_over()),
        }
    }
    match incoming.end() {
        None | Some(End::Whole) => Ok(()),
        Some(End::TooMuch) => Err(TusError::too_much()),
        Some(End::Stopped) => Err(TusError::taken_over()),
        Some(End::Broken) => Err(TusError::new(400, "The rest of the body did not arrive\n")),
    }
}

fn refused(error: WriteError<Infallible>) -> TusError {
    match error {
        WriteError::Blob(error) => StorageError::from(error).into(),
        WriteError::TooLarge(_) => TusError::too_much(),
        WriteError::Source(never) => match never {},
    }
}
