//! Search in bases, as the caller.
//!
//! A search asks first which sources the caller can have chunks in ([`behalf_caller_db::Reach`]), then runs one statement under the
//! caller's policies, in the way that costs the least for so many chunks. What is known of the sources makes a search faster and never
//! shows a chunk: the statement that returns chunks is under the policies itself.

mod graph_settings;
mod measured;
mod merge;
mod meta_words;
mod mmr;
mod near;
mod pages;
mod plan;
mod problem;
mod rerank;
mod run;
mod sql;
mod statement;
mod words;

use std::sync::Arc;

use behalf_caller_db::CallerDb;
use behalf_contracts::{RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod};
use behalf_embeddings::{Embeddings, Purpose};
use behalf_identity::{CallerKey, Principal};
use behalf_problem::LogText as _;
use uuid::Uuid;

pub use measured::MeasuredSearch;
pub use rerank::{RerankOptions, Reranker};

use crate::config::ContextMode;
use problem::unavailable;
use run::{Asked, Group};

/// The longest text of a search, in bytes. A model reads some hundred words of it.
const MAX_QUERY: usize = 16 * 1024;

/// The most chunks of an answer.
const MAX_TOP_K: u32 = 100;

/// A base as a search needs it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BaseConfig {
    /// Its id.
    pub(crate) id: Uuid,
    /// The number, the name and the dimensions of the model of its vectors.
    pub(crate) model: Option<(i16, String, u16)>,
    /// The language of its words, a configuration of Postgres's text search.
    pub(crate) language: String,
    /// How it is searched.
    pub(crate) method: SearchMethod,
    /// Chunks of an answer.
    pub(crate) top_k: u32,
    /// What vectors count in a hybrid search, from 0 to 1; words have the rest.
    pub(crate) vector_weight: f32,
    /// How both are put together.
    pub(crate) fusion: Fusion,
    /// How much likeness to the query counts against likeness to better results, from 0 to 1.
    pub(crate) mmr: Option<f32>,
    /// Whether a model reads the best chunks again.
    pub(crate) reranker: Option<RerankerConfig>,
    /// What the text of a result is.
    pub(crate) context: ContextMode,
}

/// How a hybrid search puts together what vectors and words say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fusion {
    /// It adds the scores of both.
    #[default]
    Scores,
    /// It adds the places in both lists: reciprocal rank fusion.
    Places,
}

/// How a model reads the best chunks again, where the operator has set one up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RerankerConfig {
    /// The model; that of the operator where none.
    pub(crate) model: Option<String>,
    /// How many chunks it reads.
    pub(crate) candidates: u32,
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The chunks, the best first.
    pub(crate) chunks: Vec<RetrievedChunk>,
    /// How they were found.
    pub(crate) method: SearchMethod,
    /// Whether a model read the best chunks again, where the base wants one to.
    pub(crate) reranked: Option<bool>,
    /// The way that the search took, for measurements.
    pub(crate) path: &'static str,
}

/// Searches bases.
#[derive(Clone, Debug)]
pub(crate) struct Searcher {
    db: CallerDb,
    embeddings: Embeddings,
    reranker: Option<Arc<Reranker>>,
}

impl Searcher {
    /// A searcher on this database, with these models; the last one reads the best chunks again, where there is one.
    pub(crate) fn new(db: CallerDb, embeddings: Embeddings, reranker: Option<Reranker>) -> Self {
        Self { db, embeddings, reranker: reranker.map(Arc::new) }
    }

    /// The chunks of these bases that fit best.
    pub(crate) async fn search(
        &self,
        principal: &Arc<Principal>,
        query: &RetrievalQuery,
        bases: &[BaseConfig],
    ) -> Result<Found, RetrievalError> {
        check(query)?;
        let Some(first) = bases.first() else {
            let method = query.method.unwrap_or_default();
            return Ok(Found { chunks: Vec::new(), method, reranked: None, path: "no base" });
        };
        let top_k =
            query.top_k.unwrap_or_else(|| bases.iter().map(|base| base.top_k).max().unwrap_or(1)).clamp(1, MAX_TOP_K);
        let endpoint = self.reranker.as_deref().zip(first.reranker.as_ref());
        let pool = endpoint.map_or(top_k, |(_, config)| config.candidates.clamp(top_k, MAX_TOP_K));
        let (key, mmr) = (CallerKey::new(principal, None), first.mmr);
        let asked = Asked { db: &self.db, principal, key, query, top_k: pool, mmr };
        let groups = Group::of(bases, query.method);
        let mut lists = Vec::with_capacity(groups.len());
        for group in &groups {
            let vector = self.vector(group, &query.text).await?;
            lists.push(run::run(&asked, group, vector.as_deref()).await?);
        }
        let path = lists.first().map_or("no base", |list| list.path);
        let mut hits = merge::merge(lists.into_iter().map(|list| list.hits).collect());
        let mut reranked = first.reranker.as_ref().map(|_| false);
        if let Some((endpoint, config)) = endpoint {
            let candidates = hits.get(..pool as usize).unwrap_or(&hits);
            match endpoint.rerank(&query.text, config, candidates).await {
                Ok(ordered) => (hits, reranked) = (ordered, Some(true)),
                Err(error) => {
                    tracing::warn!(
                        error = error.log_text(),
                        "the reranker is not asked; results have their first order"
                    );
                }
            }
        }
        if let Some(lambda) = mmr.filter(|_| reranked != Some(true)) {
            hits = mmr::choose(hits, lambda, top_k as usize);
        }
        if let Some(least) = query.threshold {
            hits.retain(|hit| hit.chunk.score >= least);
        }
        hits.truncate(top_k as usize);
        let mut chunks: Vec<RetrievedChunk> = hits.into_iter().map(|hit| hit.chunk).collect();
        if first.context == ContextMode::Pages {
            chunks = pages::widen(&asked, chunks).await?;
        }
        Ok(Found { chunks, method: query.method.unwrap_or(first.method), reranked, path })
    }

    /// The vector of the query by the model of these bases; none where no vector is needed.
    async fn vector(&self, group: &Group<'_>, text: &str) -> Result<Option<Vec<f32>>, RetrievalError> {
        let Some((_, name, _)) = group.model.filter(|_| group.method != SearchMethod::FullText) else {
            return Ok(None);
        };
        let texts = [text.to_owned()];
        let vectors = self.embeddings.embed(name, Purpose::Query, &texts).await.map_err(unavailable)?;
        Ok(vectors.into_iter().next())
    }
}

fn check(query: &RetrievalQuery) -> Result<(), RetrievalError> {
    let invalid = |text: &str| Err(RetrievalError::Invalid(text.to_owned()));
    if query.text.trim().is_empty() {
        return invalid("query must not be empty");
    }
    if query.text.len() > MAX_QUERY {
        return invalid("query is longer than 16384 bytes");
    }
    if query.text.contains('\0') {
        return invalid("query contains a character that no text has");
    }
    if query.source_ids.as_ref().is_some_and(|ids| ids.len() > behalf_caller_db::MAX_SOURCES) {
        return invalid("source_ids names more than 4000 sources");
    }
    Ok(())
}
