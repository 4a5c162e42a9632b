//! The trait through which a host searches its knowledge bases for guests.

use std::fmt::Debug;
use std::pin::Pin;

use behalf_identity::Principal;

/// Searches knowledge bases. The feature that owns them implements it.
pub trait KnowledgeSearch: Debug + Send + Sync {
    /// Finds the chunks that fit a query best, as its caller: a chunk of a source that the caller may not read is never
    /// in the answer.
    fn search<'a>(&'a self, query: KnowledgeQuery<'a>) -> Pin<Box<dyn Future<Output = KnowledgeResult> + Send + 'a>>;
}

/// The passages that were found, the best first.
type KnowledgeResult = Result<Vec<Passage>, KnowledgeError>;

/// One search of a guest.
#[derive(Clone, Copy, Debug)]
pub struct KnowledgeQuery<'a> {
    /// The caller.
    pub principal: &'a Principal,
    /// The granted knowledge bases, by name or id. The search covers these and no others.
    pub knowledge_bases: &'a [String],
    /// The text to search for.
    pub text: &'a str,
    /// The guest's options, a JSON object: `knowledge_bases`, `top_k`, `method`, `filter_metadata`, `threshold`.
    pub options: &'a str,
}

/// A chunk that fits the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The chunk's id.
    pub chunk: String,
    /// The id of the source it was cut from.
    pub source: String,
    /// Its text.
    pub text: String,
    /// Higher fits better; comparable within one answer only.
    pub score: f32,
    /// The chunk's metadata, a JSON object.
    pub meta: String,
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
