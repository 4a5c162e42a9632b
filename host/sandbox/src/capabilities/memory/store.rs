//! The trait through which a host keeps memories for guests.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use behalf_identity::{CallerKey, Principal};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::capabilities::slot::LateSlot;

/// Keeps what agents remember of their users. The feature that owns the memories implements it.
///
/// The sandbox has checked every bound that `limits` names, and that the caller is a user, before it calls one of these.
pub trait MemoryStore: Debug + Send + Sync {
    /// Keeps a text, and returns its id. It stays, also where the call fails later.
    fn remember<'a>(&'a self, caller: MemoryCaller<'a>, memory: NewMemory<'a>) -> MemoryFuture<'a, Uuid>;

    /// The memories of this user and agent that fit a query best, the best first. For an empty query: the newest first.
    fn recall<'a>(&'a self, caller: MemoryCaller<'a>, query: &'a str, top_k: u32) -> MemoryFuture<'a, Vec<Remembered>>;

    /// Removes a memory of this user and agent. False where they have none of this id.
    fn forget<'a>(&'a self, caller: MemoryCaller<'a>, id: Uuid) -> MemoryFuture<'a, bool>;
}

/// What an operation gives.
pub type MemoryFuture<'a, T> = BoxFuture<'a, Result<T, MemoryError>>;

/// Whose memories, and how long an operation may take.
#[derive(Clone, Copy, Debug)]
pub struct MemoryCaller<'a> {
    /// The caller, who is a user.
    pub principal: &'a Arc<Principal>,
    /// The agent whose call it is; none where the user called the tool without an agent.
    pub agent: Option<Uuid>,
    /// Whose share of the connections it uses.
    pub key: CallerKey,
    /// The time for the operation.
    pub deadline: Duration,
}

/// A text to remember.
#[derive(Clone, Copy, Debug)]
pub struct NewMemory<'a> {
    /// The text: 1 to 8,000 bytes.
    pub text: &'a str,
    /// What the tool adds to it: at most 4,096 bytes as JSON.
    pub meta: &'a Map<String, Value>,
}

/// A memory that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// Its id.
    pub id: Uuid,
    /// Its text.
    pub text: String,
    /// Higher fits better; comparable within one answer only.
    pub score: f32,
    /// What the tool added to it.
    pub meta: Map<String, Value>,
    /// When it was kept, as RFC 3339.
    pub created_at: String,
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryError {
    /// `invalid`, `denied`, `not_granted`, `timeout`, `limit`, `unavailable`.
    pub code: &'static str,
    /// One or two sentences, safe to show to a model.
    pub message: String,
    /// Whether the same operation may succeed later, unchanged.
    pub retryable: bool,
}

impl MemoryError {
    /// A failure that stays one.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// A failure of the host's own, which may be over soon.
    pub fn unavailable() -> Self {
        let message = "the host cannot reach its memories now; try again shortly".to_owned();
        Self { code: "unavailable", message, retryable: true }
    }
}

/// A store that is made after the sandbox.
impl MemoryStore for LateSlot<dyn MemoryStore> {
    fn remember<'a>(&'a self, caller: MemoryCaller<'a>, memory: NewMemory<'a>) -> MemoryFuture<'a, Uuid> {
        self.get().map_or_else(missing, |store| store.remember(caller, memory))
    }

    fn recall<'a>(&'a self, caller: MemoryCaller<'a>, query: &'a str, top_k: u32) -> MemoryFuture<'a, Vec<Remembered>> {
        self.get().map_or_else(missing, |store| store.recall(caller, query, top_k))
    }

    fn forget<'a>(&'a self, caller: MemoryCaller<'a>, id: Uuid) -> MemoryFuture<'a, bool> {
        self.get().map_or_else(missing, |store| store.forget(caller, id))
    }
}

fn missing<'a, T: Send + 'a>() -> MemoryFuture<'a, T> {
    std::future::ready(Err(MemoryError::unavailable())).boxed()
}
