//! The trait through which a host searches its knowledge bases for guests.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use behalf_identity::{CallerKey, Principal};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::capabilities::slot::LateSlot;

/// Searches knowledge bases. The feature that owns them implements it.
///
/// Which bases a guest may search is decided by the sandbox: it asks [`KnowledgeSearch::bases`] what the granted names mean for the
/// caller, and gives [`KnowledgeSearch::search`] ids of these alone.
pub trait KnowledgeSearch: Debug + Send + Sync {
    /// Those of these bases, by name or id, that the caller can see, in this order. `["*"]` is all that the caller can see. At most
    /// 100 of them.
    fn bases<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        names: &'a [String],
    ) -> KnowledgeFuture<'a, Vec<KnowledgeBaseRef>>;

    /// The chunks that fit a query best, the best first. A chunk of a source that the caller may not read does not exist.
    fn search<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        query: KnowledgeQuery<'a>,
    ) -> KnowledgeFuture<'a, Vec<Passage>>;
}

/// What an operation gives.
pub type KnowledgeFuture<'a, T> = BoxFuture<'a, Result<T, KnowledgeError>>;

/// As whom a search is done, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct KnowledgeCaller<'a> {
    /// The caller.
    pub principal: &'a Arc<Principal>,
    /// The agent whose call it is, if one makes it.
    pub agent: Option<Uuid>,
    /// Whose share of the connections it uses.
    pub key: CallerKey,
    /// The time for the operation.
    pub deadline: Duration,
}

/// A base that the caller can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnowledgeBaseRef {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
}

/// One search of a guest.
#[derive(Clone, Copy, Debug)]
pub struct KnowledgeQuery<'a> {
    /// The text to search for: 1 to 8,000 bytes.
    pub text: &'a str,
    /// The bases, at least one. The search covers these and no others.
    pub bases: &'a [Uuid],
    /// How many passages at most, 1 to 100; that of the bases where none.
    pub top_k: Option<u32>,
    /// How they are found; that of the bases where none.
    pub method: Option<KnowledgeMethod>,
    /// Values that the metadata of a passage must contain: at most 4,096 bytes as JSON.
    pub filter_metadata: Option<&'a Map<String, Value>>,
    /// The least score of a passage, 0 to 1.
    pub threshold: Option<f32>,
    /// Whether only sources count that the caller owns.
    pub own_sources_only: bool,
}

/// How passages are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnowledgeMethod {
    /// By the likeness of vectors.
    Vector,
    /// By words.
    FullText,
    /// By both.
    Hybrid,
    /// By the titles of sections.
    Tree,
}

/// A chunk that fits the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The chunk's id.
    pub chunk: Uuid,
    /// The id of the source it was cut from.
    pub source: Uuid,
    /// The name of that source, if the caller may read it.
    pub source_name: Option<String>,
    /// Its base.
    pub knowledge_base: Option<Uuid>,
    /// Its text.
    pub text: String,
    /// Higher fits better; comparable within one answer only.
    pub score: f32,
    /// The chunk's metadata.
    pub meta: Map<String, Value>,
}

/// What of the caller's knowledge a call may search, beside its plugin's grant. It only takes away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnowledgeScope {
    /// The bases, if not all that were granted: those of an agent, for example.
    pub knowledge_bases: Option<Arc<[Uuid]>>,
    /// Whether only sources count that the caller owns.
    pub own_sources_only: bool,
}

/// Why a search failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnowledgeError {
    /// `invalid`, `not_granted`, `timeout`, `limit`, `unavailable`.
    pub code: &'static str,
    /// One or two sentences, safe to show to a model.
    pub message: String,
    /// Whether the same search may succeed later, unchanged.
    pub retryable: bool,
}

impl KnowledgeError {
    /// A failure that stays one.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retryable: false }
    }

    /// A failure of the host's own, which may be over soon.
    pub fn unavailable() -> Self {
        let message = "the host cannot search its knowledge bases now; try again shortly".to_owned();
        Self { code: "unavailable", message, retryable: true }
    }
}

/// A search that is made after the sandbox.
impl KnowledgeSearch for LateSlot<dyn KnowledgeSearch> {
    fn bases<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        names: &'a [String],
    ) -> KnowledgeFuture<'a, Vec<KnowledgeBaseRef>> {
        self.get().map_or_else(missing, |search| search.bases(caller, names))
    }

    fn search<'a>(
        &'a self,
        caller: KnowledgeCaller<'a>,
        query: KnowledgeQuery<'a>,
    ) -> KnowledgeFuture<'a, Vec<Passage>> {
        self.get().map_or_else(missing, |search| search.search(caller, query))
    }
}

fn missing<'a, T: Send + 'a>() -> KnowledgeFuture<'a, T> {
    std::future::ready(Err(KnowledgeError::unavailable())).boxed()
}
