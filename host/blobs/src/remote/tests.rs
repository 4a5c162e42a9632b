//! Tests of an object store in memory.

use bytes::Bytes;
use futures::stream;
use object_store::memory::InMemory;
use uuid::Uuid;

use super::*;
use crate::acts::Acts;
use crate::error::WriteError;
use crate::hash::Hash;
use crate::intake::Intake;
use crate::lease::Lease;

type Sent = Vec<Result<Bytes, &'static str>>;

fn remote() -> Remote {
    Remote { store: Arc::new(InMemory::new()), prefix: Path::from("files") }
}

fn new_id() -> BlobId {
    BlobId(Uuid::new_v4())
}

fn sent(bytes: &[u8]) -> Sent {
    bytes.chunks(300_000).map(|part| Ok(Bytes::copy_from_slice(part))).collect()
}

fn some_bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 253).unwrap_or(0)).collect()
}

fn etag(bytes: &[u8]) -> String {
    let mut hash = Hash::default();
    hash.update(bytes);
    hash.etag()
}

async fn read(remote: &Remote, id: BlobId, range: Option<Range<u64>>) -> Result<Vec<u8>, BlobError> {
    let bytes: Vec<Bytes> = remote.read(id, range).await?.try_collect().await.map_err(BlobError::from_io)?;
    Ok(bytes.concat())
}

async fn names(remote: &Remote) -> Vec<String> {
    let found: Vec<_> = remote.store.list(Some(&remote.prefix)).try_collect().await.expect("a list");
    found.iter().map(|meta| meta.location.filename().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn bytes_are_read_as_they_were_written_at_once_or_in_parts() {
    let remote = remote();
    for size in [0, 10, LEAST_PART, LEAST_PART + 1, 2 * LEAST_PART + 77] {
        let (id, bytes, acts) = (new_id(), some_bytes(size), Acts::default());
        let mut lease = Lease::unlisted();
        let intake = Intake::new(stream::iter(sent(&bytes)), u64::MAX, &mut lease);
        let stored = remote.write(id, &acts, 1_000, intake).await.expect("it is written");
        assert_eq!((stored.size, stored.etag), (size as u64, etag(&bytes)));
        assert_eq!(read(&remote, id, None).await.expect("it is read"), bytes);
        assert_eq!(names(&remote).await, ["bytes"], "{size}");
        if size > 2 {
            assert_eq!(read(&remote, id, Some(1..3)).await.expect("a part"), bytes[1..3]);
        }
        let behind = read(&remote, id, Some(size as u64..size as u64 + 9)).await;
        assert!(matches!(behind, Err(BlobError::Range { size: all }) if all == size as u64), "{behind:?}");
        let other = new_id();
        assert_eq!(remote.copy(id, other, &Acts::default()).await.expect("a copy").size, size as u64);
        assert_eq!(read(&remote, other, None).await.expect("it is read"), bytes);
        remote.remove(id).await.expect("it is removed");
        remote.remove(other).await.expect("it is removed");
        assert_eq!(names(&remote).await, [""; 0]);
        assert!(matches!(read(&remote, id, None).await, Err(BlobError::Gone)));
    }
}

#[tokio::test]
async fn what_is_not_written_whole_can_be_removed() {
    let remote = remote();
    let (id, acts) = (new_id(), Acts::default());
    let mut lease = Lease::unlisted();
    let source = stream::iter(sent(&some_bytes(2 * LEAST_PART)).into_iter().chain([Err("gone")]));
    let failed = remote.write(id, &acts, 1_000, Intake::new(source, u64::MAX, &mut lease)).await;
    assert!(matches!(failed, Err(WriteError::Source("gone"))), "{failed:?}");
    assert_eq!(names(&remote).await, ["upload"], "the upload is remembered");
    remote.remove(id).await.expect("it is removed");
    assert_eq!(names(&remote).await, [""; 0]);
}

#[tokio::test]
async fn bytes_come_in_parts_from_several_hosts() {
    let remote = remote();
    let (id, bytes) = (new_id(), some_bytes(2 * LEAST_PART + 1_000));
    let mut state = (0, Hash::default(), RemoteParts::default());
    for chunk in [&bytes[..10], &bytes[10..LEAST_PART + 5], &bytes[LEAST_PART + 5..]] {
        let (acts, mut lease) = (Acts::default(), Lease::unlisted());
        let intake = Intake::new(stream::iter(sent(chunk)), u64::MAX, &mut lease);
        // A host that died before it told counts for nothing.
        remote.append(id, &acts, state.clone(), 1_000, intake).await.expect("written");
        let intake = Intake::new(stream::iter(sent(chunk)), u64::MAX, &mut lease);
        let kept = (state.0, Hash::resume(&state.1.save()).expect("a state"), state.2.clone());
        state = remote.append(id, &acts, kept, 1_000, intake).await.expect("written");
    }
    assert_eq!((state.0, state.1.clone().etag()), (bytes.len() as u64, etag(&bytes)));
    remote.finish(id, &Acts::default(), state.0, state.2.clone()).await.expect("it ends");
    remote.finish(id, &Acts::default(), state.0, state.2).await.expect("it ends again");
    assert_eq!(read(&remote, id, None).await.expect("it is read"), bytes);
    assert_eq!(names(&remote).await, ["bytes"]);
}

#[tokio::test]
async fn few_bytes_in_parts_need_no_parts_of_the_store() {
    let remote = remote();
    for text in ["", "a few"] {
        let id = new_id();
        let (acts, mut lease) = (Acts::default(), Lease::unlisted());
        let begun = (0, Hash::default(), RemoteParts::default());
        let source = stream::iter(vec![Ok::<_, &str>(Bytes::from(text)), Err("gone")]);
        let state =
            remote.append(id, &acts, begun, 1_000, Intake::new(source, 100, &mut lease)).await.expect("written");
        remote.finish(id, &acts, state.0, state.2).await.expect("it ends");
        assert_eq!(read(&remote, id, None).await.expect("it is read"), text.as_bytes());
        assert_eq!(names(&remote).await, ["bytes"]);
        remote.remove(id).await.expect("it is removed");
    }
}
