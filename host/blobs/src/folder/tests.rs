//! Tests of the folder, without a list.

use std::path::Path;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;

use super::*;
use crate::acts::Acts;
use crate::error::WriteError;
use crate::hash::Hash;
use crate::intake::Intake;
use crate::lease::Lease;
use crate::writer::Stored;

type Sent = Vec<Result<Bytes, &'static str>>;

async fn write(folder: &Folder, id: BlobId, sent: Sent, limit: u64) -> Result<Stored, WriteError<&'static str>> {
    let mut lease = Lease::unlisted();
    folder.write(id, &Acts::default(), Intake::new(stream::iter(sent), limit, &mut lease)).await
}

async fn read(folder: &Folder, id: BlobId, range: Option<std::ops::Range<u64>>) -> Result<Vec<u8>, BlobError> {
    let reader = folder.read(id, range).await?;
    let bytes: Vec<Bytes> = reader.try_collect().await.map_err(BlobError::from_io)?;
    Ok(bytes.concat())
}

fn files(path: &Path) -> usize {
    let shards = std::fs::read_dir(path).expect("the folder");
    shards.map(|shard| std::fs::read_dir(shard.expect("an entry").path()).expect("a folder").count()).sum()
}

fn new_id() -> BlobId {
    BlobId(Uuid::new_v4())
}

#[tokio::test]
async fn bytes_are_read_as_they_were_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(dir.path()).await.expect("it opens");
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
        let (id, bytes): (_, Vec<u8>) = (new_id(), (0..size).map(|n| u8::try_from(n % 251).unwrap_or(0)).collect());
        let sent = bytes.chunks(10_000).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
        let stored = write(&folder, id, sent, u64::MAX).await.expect("it is written");
        let mut hash = Hash::default();
        hash.update(&bytes);
        assert_eq!((stored.size, stored.etag), (size as u64, hash.etag()));
        assert_eq!(read(&folder, id, None).await.expect("it is read"), bytes);
        if size > 2 {
            assert_eq!(read(&folder, id, Some(1..size as u64 - 1)).await.expect("a part"), bytes[1..size - 1]);
        }
        let behind = read(&folder, id, Some(size as u64..u64::MAX)).await;
        assert!(matches!(behind, Err(BlobError::Range { size: all }) if all == size as u64), "{behind:?}");
    }
    let again = Folder::open(dir.path()).await.expect("it opens again");
    assert_eq!(files(dir.path()), 6);
    assert!(matches!(read(&again, new_id(), None).await, Err(BlobError::Gone)));
}

#[tokio::test]
async fn what_is_not_written_whole_can_be_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(dir.path()).await.expect("it opens");
    let (large, broken) = (new_id(), new_id());
    let piece = Bytes::from(vec![7; PIECE]);
    let sent = vec![Ok(piece.clone()), Ok(piece.clone()), Ok(piece.clone())];
    let refused = write(&folder, large, sent, 2 * PIECE as u64).await;
    assert!(matches!(refused, Err(WriteError::TooLarge(_))), "{refused:?}");
    let failed = write(&folder, broken, vec![Ok(piece), Err("gone")], u64::MAX).await;
    assert!(matches!(failed, Err(WriteError::Source("gone"))), "{failed:?}");
    let removed = folder.remove(vec![large, broken, new_id()]).await;
    assert!(removed.iter().all(|(_, done)| done.is_ok()), "{removed:?}");
    assert_eq!(files(dir.path()), 0);
}

#[tokio::test]
async fn bytes_come_in_parts_and_what_failed_counts_for_nothing() {
    let dir = tempfile::tempdir().expect("a folder");
    let folder = Folder::open(dir.path()).await.expect("it opens");
    let (id, acts) = (new_id(), Acts::default());
    let append = async |state: (u64, Hash), sent: Sent, limit: u64| {
        let mut lease = Lease::unlisted();
        folder.append(id, &acts, state, Intake::new(stream::iter(sent), limit, &mut lease)).await
    };
    let begun = append((0, Hash::default()), vec![Ok("one, ".into()), Err("gone")], 100).await.expect("what came");
    assert_eq!(begun.0, 5);
    let refused = append(begun.clone(), vec![Ok("far too much".into())], 3).await;
    assert!(matches!(refused, Err(WriteError::TooLarge(3))), "it is refused");
    // A host that died after it wrote and before it told.
    append(begun.clone(), vec![Ok("and more than that".into())], 100).await.expect("written");
    let (offset, hash) = append(begun, vec![Ok("two".into())], 100).await.expect("written");
    folder.finish(id, &acts, offset).await.expect("it ends");
    assert_eq!(read(&folder, id, None).await.expect("it is read"), b"one, two");
    let mut whole = Hash::default();
    whole.update(b"one, two");
    assert_eq!(hash.etag(), whole.etag());
    assert!(matches!(folder.finish(id, &acts, 100).await, Err(BlobError::Gone)), "fewer bytes than were kept");
    let nothing = new_id();
    folder.finish(nothing, &acts, 0).await.expect("no bytes at all");
    let stream = folder.read(nothing, None).await.expect("it is there");
    assert_eq!(
        (stream.size, stream.map(|bytes| bytes.map_or(0, |bytes| bytes.len())).collect::<Vec<_>>().await),
        (0, vec![0])
    );
}
