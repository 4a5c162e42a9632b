//! Tests of the bounds within which a guest reaches memories, over a store that notes what gets to it.

use std::sync::Mutex;
use std::time::Instant;

use behalf_identity::{CallerKey, Principal, TokenRequest, Verifier, VerifierOptions, mint_key, mint_token};
use futures::FutureExt as _;
use serde_json::json;
use uuid::Uuid;

use super::store::{MemoryCaller, MemoryFuture, NewMemory};
use super::*;
use crate::capabilities::slot::LateSlot;
use crate::deadline::Deadline;
use crate::memory::Memory;

const SECRET: &str = "a-secret-of-tests-with-enough-bytes";
const AGENT: Uuid = Uuid::from_u128(7);

#[derive(Debug, Default)]
struct Noting(Mutex<Vec<String>>);

impl Noting {
    fn note(&self, caller: MemoryCaller<'_>, text: &str) {
        assert!(caller.principal.subject().is_some() && caller.agent == Some(AGENT));
        self.0.lock().expect("no panic").push(text.to_owned());
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl MemoryStore for Noting {
    fn remember<'a>(&'a self, caller: MemoryCaller<'a>, memory: NewMemory<'a>) -> MemoryFuture<'a, Uuid> {
        self.note(caller, &format!("remember {} {}", memory.text, Value::Object(memory.meta.clone())));
        std::future::ready(Ok(Uuid::from_u128(1))).boxed()
    }

    fn recall<'a>(&'a self, caller: MemoryCaller<'a>, query: &'a str, top_k: u32) -> MemoryFuture<'a, Vec<Remembered>> {
        self.note(caller, &format!("recall {query} {top_k}"));
        let one = Remembered {
            id: Uuid::from_u128(1),
            text: "x".repeat(100),
            score: 1.0,
            meta: serde_json::Map::new(),
            created_at: "2026-01-01T00:00:00Z".to_owned(),
        };
        std::future::ready(Ok(vec![one])).boxed()
    }

    fn forget<'a>(&'a self, caller: MemoryCaller<'a>, id: Uuid) -> MemoryFuture<'a, bool> {
        self.note(caller, &format!("forget {}", id.as_u128()));
        std::future::ready(Ok(true)).boxed()
    }
}

async fn verified(token: &str) -> Arc<Principal> {
    verified_by(VerifierOptions::default(), token).await
}

async fn verified_by(options: VerifierOptions, token: &str) -> Arc<Principal> {
    let options = VerifierOptions { secret: Some(SECRET.as_bytes().to_vec()), ..options };
    Verifier::new(options).expect("a verifier").verify(token).await.expect("a principal")
}

async fn call(writes: bool) -> (Arc<Noting>, CallMemories) {
    let store = Arc::new(Noting::default());
    let user = TokenRequest::for_user("6f9619ff-8b86-d011-b42d-00cf4fc964ff");
    let principal = verified(&mint_token(SECRET, &user).expect("a token")).await;
    let call = CallMemories {
        store: Some(Arc::clone(&store) as Arc<dyn MemoryStore>),
        writes,
        key: CallerKey::new(&principal, None),
        principal,
        agent: Some(AGENT),
        deadline: Deadline::from(Instant::now() + Duration::from_secs(10)),
        output_bytes: 1 << 20,
    };
    (store, call)
}

fn code<T: std::fmt::Debug>(result: Result<T, MemoryError>) -> &'static str {
    result.expect_err("an error").code
}

async fn remember(call: &CallMemories, text: &str, meta: &str) -> Result<Uuid, MemoryError> {
    call.remember(&Memory::new(1 << 20), text, meta).await.expect("no trap")
}

async fn recall(call: &CallMemories, query: &str, top_k: u32) -> Result<usize, MemoryError> {
    call.recall(&Memory::new(1 << 20), query, top_k).await.expect("no trap").map(|found| found.len())
}

#[tokio::test]
async fn what_is_in_bounds_reaches_the_store() {
    let (store, call) = call(true).await;
    assert_eq!(remember(&call, "likes tea", r#"{"of": "food"}"#).await, Ok(Uuid::from_u128(1)));
    assert_eq!(recall(&call, "drinks", 5).await, Ok(1));
    assert_eq!(recall(&call, "", 50).await, Ok(1), "the newest");
    assert_eq!(call.forget(&Uuid::from_u128(3).to_string()).await, Ok(true));
    assert_eq!(store.asked(), [r#"remember likes tea {"of":"food"}"#, "recall drinks 5", "recall  50", "forget 3"]);
}

#[tokio::test]
async fn what_is_out_of_bounds_does_not() {
    let (store, call) = call(true).await;
    let (long, much) = ("x".repeat(8_001), json!({"a": "x".repeat(4_096)}).to_string());
    for (text, meta) in [
        ("", "{}"),
        (" ", "{}"),
        ("a\0", "{}"),
        (&long[..], "{}"),
        ("a", ""),
        ("a", "[]"),
        ("a", &much),
        ("a", r#"{"a": "\u0000"}"#),
    ] {
        assert_eq!(code(remember(&call, text, meta).await), "invalid");
    }
    for (query, top_k) in [("a", 0), ("a", 51), ("a", u32::MAX), ("a\0", 1), (&long[..], 1)] {
        assert_eq!(code(recall(&call, query, top_k).await), "invalid");
    }
    for id in ["", "1", "' or true --", "00000000-0000-0000-0000-00000000000g"] {
        assert_eq!(code(call.forget(id).await), "invalid");
    }
    assert_eq!(store.asked(), [""; 0]);
}

#[tokio::test]
async fn who_may_only_recall_changes_nothing() {
    let (store, call) = call(false).await;
    assert_eq!(code(remember(&call, "a", "{}").await), "not_granted");
    assert_eq!(code(call.forget(&AGENT.to_string()).await), "not_granted");
    assert_eq!(store.asked(), [""; 0]);
    assert_eq!(recall(&call, "a", 1).await, Ok(1));
}

#[tokio::test]
async fn nobody_but_a_user_has_memories() {
    for role in ["anon", "service_role"] {
        let (store, mut call) = call(true).await;
        let key = mint_key(SECRET, role).expect("a key");
        let keys = VerifierOptions {
            anon_key: (role == "anon").then(|| key.clone()),
            service_key: (role == "service_role").then(|| key.clone()),
            ..VerifierOptions::default()
        };
        call.principal = verified_by(keys, &key).await;
        assert_eq!(code(remember(&call, "a", "{}").await), "denied", "{role}");
        assert_eq!(code(recall(&call, "a", 1).await), "denied", "{role}");
        assert_eq!(code(call.forget(&AGENT.to_string()).await), "denied", "{role}");
        assert_eq!(store.asked(), [""; 0]);
    }
}

#[tokio::test]
async fn an_answer_counts_as_memory_and_as_output() {
    let (_, mut call) = call(true).await;
    let memory = Memory::new(1_000);
    assert!(call.recall(&memory, "a", 1).await.expect("it fits").is_ok());
    assert!(memory.peak() > 200 && memory.used() == 0, "with the guest's copy, and no longer than that");
    assert!(call.recall(&Memory::new(200), "a", 1).await.is_err(), "it has no place in the call's memory");
    assert!(call.remember(&Memory::new(10), "a long text", "{}").await.is_err());
    call.output_bytes = 50;
    assert_eq!(code(recall(&call, "a", 1).await), "limit");
}

#[tokio::test]
async fn a_host_without_memories_says_so() {
    let (_, mut call) = call(true).await;
    let slot = LateSlot::<dyn MemoryStore>::default();
    call.store = Some(Arc::new(slot.clone()));
    assert_eq!(code(recall(&call, "a", 1).await), "unavailable", "until the slot is filled");
    slot.fill(Arc::new(Noting::default()));
    assert_eq!(recall(&call, "a", 1).await, Ok(1));
    call.store = None;
    assert_eq!(code(recall(&call, "a", 1).await), "unavailable");
}

#[test]
fn more_access_is_beyond() {
    let exceeds = |mine: &str, theirs: &str| {
        let read = |access: &str| Grants::from_json(json!({ "memory": access })).expect("grants");
        read(mine).exceeds(&read(theirs)).is_some()
    };
    let order = ["none", "read", "write"];
    for (mine, first) in order.into_iter().enumerate() {
        for (theirs, second) in order.into_iter().enumerate() {
            assert_eq!(exceeds(first, second), mine > theirs, "{first} of {second}");
        }
    }
    assert!(Grants::from_json(json!({"memory": "all"})).is_err() && Grants::from_json(json!({"memory": {}})).is_err());
}
