//! Searches with a vector that is given, for measurements: their vectors are numbers by chance, which no model makes.

use std::sync::Arc;

use behalf_caller_db::CallerDb;
use behalf_contracts::{RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod};
use behalf_identity::{CallerKey, Principal};
use uuid::Uuid;

use super::run::{self, Asked, Group};
use super::{BaseConfig, Fusion, check};
use crate::config::ContextMode;

/// One base of one model. Its searches take the same way as those of [`Retrieval`](behalf_contracts::Retrieval), except that nothing
/// embeds their text.
#[derive(Clone, Debug)]
pub struct MeasuredSearch {
    db: CallerDb,
    base: BaseConfig,
}

impl MeasuredSearch {
    /// A base whose vectors have this number of a model and so many dimensions, and whose words are English.
    pub fn new(db: CallerDb, base: Uuid, model: i16, dims: u16) -> Self {
        let base = BaseConfig {
            id: base,
            model: Some((model, String::new(), dims)),
            language: "english".to_owned(),
            method: SearchMethod::Hybrid,
            top_k: 10,
            vector_weight: 0.5,
            fusion: Fusion::default(),
            mmr: None,
            reranker: None,
            context: ContextMode::default(),
        };
        Self { db, base }
    }

    /// Searches, and tells the way that the search took.
    pub async fn search(
        &self,
        principal: &Arc<Principal>,
        query: &RetrievalQuery,
        vector: &[f32],
    ) -> Result<(Vec<RetrievedChunk>, &'static str), RetrievalError> {
        check(query)?;
        let top_k = query.top_k.unwrap_or(self.base.top_k);
        let key = CallerKey::new(principal, None);
        let asked = Asked { db: &self.db, principal, key, query, top_k, mmr: None };
        let bases = std::slice::from_ref(&self.base);
        let mut listed = Vec::new();
        let mut path = "nothing";
        for group in Group::of(bases, query.method) {
            let list = run::run(&asked, &group, Some(vector)).await?;
            (listed, path) = (list.hits, list.path);
        }
        Ok((listed.into_iter().map(|hit| hit.chunk).collect(), path))
    }
}
