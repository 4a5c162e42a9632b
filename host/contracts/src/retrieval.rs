//! Search in knowledge bases, as the caller. The knowledge feature implements [`Retrieval`]; agents and the sandbox's guests use it.

use std::fmt::Debug;
use std::sync::Arc;

use behalf_identity::Principal;
use behalf_problem::{Kind, Problem};
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use thiserror::Error;
use uuid::Uuid;

/// How chunks are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SearchMethod {
    /// By the likeness of vectors.
    Vector,
    /// By words.
    FullText,
    /// By both.
    #[default]
    Hybrid,
    /// A model chooses sections by their titles. For bases of the strategy `page_index` only.
    Tree,
}

/// One search.
#[derive(Clone, Debug, Default)]
pub struct RetrievalQuery {
    /// The text to search for.
    pub text: String,
    /// The bases. One that the caller cannot see has no chunks for them.
    pub knowledge_bases: Vec<Uuid>,
    /// How many chunks at most; that of the base where none.
    pub top_k: Option<u32>,
    /// How they are found; that of the base where none.
    pub method: Option<SearchMethod>,
    /// The least score of a chunk, between 0 and 1.
    pub threshold: Option<f32>,
    /// Values that a chunk's `meta` must contain.
    pub filter_metadata: Option<Map<String, Value>>,
    /// The only sources to search, if not all.
    pub source_ids: Option<Vec<Uuid>>,
    /// Whether only sources count that the caller owns.
    pub own_sources_only: bool,
    /// The id of the HTTP request, for the audit log.
    pub request_id: Option<String>,
    /// The agent that searches, if one does.
    pub agent_id: Option<Uuid>,
    /// Whose share of connections it uses; the caller's own where none.
    pub session: Option<String>,
}

/// A chunk that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct RetrievedChunk {
    /// Its id.
    pub chunk_id: Uuid,
    /// The source that it was cut from.
    pub source_id: Uuid,
    /// The name of that source, if the caller may read it.
    pub source_name: Option<String>,
    /// Its base.
    pub knowledge_base_id: Option<Uuid>,
    /// Its text.
    pub text: String,
    /// Higher fits better; comparable within one answer only.
    pub score: f32,
    /// What is known of it, an object: `page`, `headings` and what the app added.
    pub meta: Value,
}

/// A base that the caller can see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseInfo {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// What it has, for models and people.
    pub description: Option<String>,
}

/// Why a search failed.
#[derive(Debug, Error)]
pub enum RetrievalError {
    /// The query is wrong; the text says what.
    #[error("{0}")]
    Invalid(String),
    /// The caller sees no such base.
    #[error("Knowledge base not found")]
    NotFound,
    /// The caller's role may not read chunks at all.
    #[error("the role of this caller may not read chunks")]
    Forbidden,
    /// The search took too long.
    #[error("the search took too long; ask for less, or try again")]
    Timeout,
    /// All places are taken.
    #[error("all places for searches are taken; try again shortly")]
    Busy,
    /// Something that the search needs is away.
    #[error("the search cannot be done right now; try again shortly")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Problem for RetrievalError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::BadRequest,
            Self::NotFound => Kind::NotFound,
            Self::Forbidden => Kind::Forbidden,
            Self::Timeout => Kind::Deadline,
            Self::Busy => Kind::Busy,
            Self::Unavailable(_) => Kind::Unavailable,
        }
    }
}

/// Searches knowledge bases in a caller's name.
pub trait Retrieval: Debug + Send + Sync {
    /// The chunks that fit best, the best first. A chunk that the caller may not read does not exist.
    fn search<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        query: &'a RetrievalQuery,
    ) -> BoxFuture<'a, Result<Vec<RetrievedChunk>, RetrievalError>>;

    /// Those of these bases, by id or name, that the caller can see, in this order. `["*"]` is all that the caller can see, 100 at most.
    fn find_bases<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<BaseInfo>, RetrievalError>>;
}
