//! Tests of the bounds within which a guest reaches objects, over a store that notes what gets to it.

use std::sync::Mutex;
use std::time::Instant;

use behalf_identity::{CallerKey, Principal, TokenRequest, Verifier, VerifierOptions, mint_token};
use bytes::Bytes;
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::store::{ListedObject, NewContent, ObjectCaller, ObjectFuture, ObjectPath, OpenObject};
use super::*;
use crate::deadline::Deadline;
use crate::memory::Memory;

const SECRET: &str = "a-secret-of-tests-with-enough-bytes";

/// A store that has every object, of ten bytes, and notes what it is asked.
#[derive(Debug, Default)]
struct Noting(Mutex<Vec<String>>);

impl Noting {
    fn note(&self, text: String) {
        self.0.lock().expect("no panic").push(text);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl ObjectStore for Noting {
    fn list<'a>(&'a self, _: ObjectCaller<'a>, list: ObjectList<'a>) -> ObjectFuture<'a, ObjectPage> {
        self.note(format!("list {} {}", list.bucket, list.prefix));
        let one = ListedObject {
            name: "a".to_owned(),
            size: 10,
            content_type: "text/plain".to_owned(),
            updated_at: "2026-01-01T00:00:00Z".to_owned(),
        };
        async { Ok(ObjectPage { objects: vec![one], next: None }) }.boxed()
    }

    fn open<'a>(&'a self, _: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, OpenObject> {
        self.note(format!("open {} {}", object.bucket, object.name));
        let pieces = [Bytes::from_static(b"01234"), Bytes::from_static(b"56789")].map(Ok);
        let bytes = Box::pin(futures::stream::iter(pieces));
        async { Ok(OpenObject { size: 10, content_type: "text/plain".to_owned(), bytes }) }.boxed()
    }

    fn write<'a>(
        &'a self,
        _: ObjectCaller<'a>,
        object: ObjectPath<'a>,
        content: NewContent<'a>,
    ) -> ObjectFuture<'a, ()> {
        self.note(format!("write {} {} {}", object.bucket, object.name, content.bytes.len()));
        async { Ok(()) }.boxed()
    }

    fn remove<'a>(&'a self, _: ObjectCaller<'a>, object: ObjectPath<'a>) -> ObjectFuture<'a, ()> {
        self.note(format!("remove {} {}", object.bucket, object.name));
        async { Ok(()) }.boxed()
    }

    fn sign<'a>(&'a self, _: ObjectCaller<'a>, object: ObjectPath<'a>, valid: Duration) -> ObjectFuture<'a, String> {
        self.note(format!("sign {} {} {}", object.bucket, object.name, valid.as_secs()));
        async { Ok("https://a.test".to_owned()) }.boxed()
    }
}

async fn principal() -> Arc<Principal> {
    let options = VerifierOptions { secret: Some(SECRET.as_bytes().to_vec()), ..VerifierOptions::default() };
    let user = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    let token = mint_token(SECRET, &TokenRequest::for_user(user)).expect("a token");
    Verifier::new(options).expect("a verifier").verify(&token).await.expect("a principal")
}

async fn call(grant: Value, writes: bool) -> (Arc<Noting>, CallStorage) {
    let store = Arc::new(Noting::default());
    let principal = principal().await;
    let call = CallStorage {
        store: Some(Arc::clone(&store) as Arc<dyn ObjectStore>),
        grant: serde_json::from_value(grant).expect("a grant"),
        writes,
        key: CallerKey::new(&principal, None),
        principal,
        deadline: Deadline::from(Instant::now() + Duration::from_secs(10)),
    };
    (store, call)
}

fn code<T: std::fmt::Debug>(result: Result<T, ObjectError>) -> &'static str {
    result.expect_err("an error").code
}

#[tokio::test]
async fn what_was_not_granted_never_reaches_the_store() {
    let (store, call) = call(json!({"buckets": ["mine"], "access": "write", "prefix": "a/"}), true).await;
    let memory = Memory::new(1 << 20);
    for (bucket, name) in [
        ("other", "a/x"),
        ("MINE", "a/x"),
        ("mine ", "a/x"),
        ("*", "a/x"),
        ("", "a/x"),
        ("mine", "b/x"),
        ("mine", "a"),
        ("mine", "ab"),
    ] {
        let write = call.write(&memory, (bucket, name), vec![1], ("text/plain", true)).await.expect("no trap");
        assert_eq!(code(write), "not_found", "{bucket}/{name}");
        assert_eq!(code(call.read(&memory, bucket, name, 100).await.expect("no trap")), "not_found");
        assert_eq!(code(call.remove(bucket, name).await), "not_found");
        assert_eq!(code(call.sign(bucket, name, 60).await), "not_found");
    }
    for name in ["a/../b/x", "../mine/a/x", "a/./x", "a//x", "a/", "/a/x", "a/x\0", &format!("a/{}", "x".repeat(3_000))]
    {
        let write = call.write(&memory, ("mine", name), vec![1], ("text/plain", true)).await.expect("no trap");
        assert_eq!(code(write), "invalid", "{name}");
        assert_eq!(code(call.sign("mine", name, 60).await), "invalid", "{name}");
    }
    assert_eq!(store.asked(), [""; 0]);
    assert!(call.write(&memory, ("mine", "a/x"), vec![1], ("text/plain", true)).await.expect("no trap").is_ok());
    assert!(call.remove("mine", "a/x").await.is_ok() && call.sign("mine", "a/x", 60).await.is_ok());
    assert_eq!(store.asked(), ["write mine a/x 1", "remove mine a/x", "sign mine a/x 60"]);
}

#[tokio::test]
async fn a_list_stays_in_the_folder() {
    let (store, call) = call(json!({"buckets": ["*"], "access": "read", "prefix": "a/b/"}), false).await;
    let memory = Memory::new(1 << 20);
    let list = async |prefix: &str, limit| {
        let list = ObjectList { bucket: "any", prefix, limit, cursor: None };
        call.list(&memory, list).await.expect("no trap").map(|page| page.objects.len())
    };
    assert_eq!(list("", 10).await, Ok(1));
    assert_eq!(list("a/b/c", 10).await, Ok(1));
    assert_eq!(list("b", 10).await, Ok(0));
    assert_eq!(store.asked(), ["list any a/b/", "list any a/b/c"]);
    for limit in [0, 1_001] {
        assert_eq!(code(list("", limit).await), "invalid");
    }
}

#[tokio::test]
async fn who_may_only_read_writes_nothing() {
    let (store, call) = call(json!({"buckets": ["a"], "access": "write"}), false).await;
    let memory = Memory::new(1 << 20);
    let write = call.write(&memory, ("a", "x"), vec![1], ("text/plain", true)).await.expect("no trap");
    assert_eq!(code(write), "not_granted");
    assert_eq!(code(call.remove("a", "x").await), "not_granted");
    assert_eq!(store.asked(), [""; 0]);
}

#[tokio::test]
async fn an_object_is_read_whole_or_not_at_all_and_counts_as_memory() {
    let (_, call) = call(json!({"buckets": ["a"], "access": "read"}), false).await;
    let memory = Memory::new(100);
    let read = call.read(&memory, "a", "x", 10).await.expect("no trap");
    assert_eq!(read, Ok((b"0123456789".to_vec(), "text/plain".to_owned())));
    assert_eq!(memory.peak(), 20, "with the guest's copy");
    assert_eq!(code(call.read(&memory, "a", "x", 9).await.expect("no trap")), "too_large");
    assert!(call.read(&Memory::new(19), "a", "x", 10).await.is_err(), "it has no place in the call's memory");
    assert!(call.write(&Memory::new(9), ("a", "x"), vec![1; 10], ("", true)).await.is_err());
    for seconds in [0, 604_801] {
        assert_eq!(code(call.sign("a", "x", seconds).await), "invalid");
    }
}

#[tokio::test]
async fn a_host_without_objects_says_so() {
    let (_, mut call) = call(json!({"buckets": ["a"], "access": "write"}), true).await;
    call.store = None;
    assert_eq!(code(call.remove("a", "x").await), "unavailable");
}
