//! Searches several bases as one caller, each as its configuration says.

use std::collections::HashSet;
use std::sync::Arc;

use behalf_contracts::{Retrieval, RetrievalError, RetrievalQuery, RetrievedChunk};
use behalf_identity::Principal;
use behalf_problem::LogText as _;
use futures::future::join_all;
use uuid::Uuid;

use super::base::{SearchConfig, SearchedBase};
use crate::text::cut_bytes;

/// Bytes of a question that are searched for.
const MAX_QUERY_BYTES: usize = 8_000;
/// Searches at once; each takes a connection.
const PARALLEL: usize = 4;

/// One search of a run, or of an operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search<'a> {
    /// As whom.
    pub(super) principal: &'a Arc<Principal>,
    /// The text to search for.
    pub(super) text: &'a str,
    /// Where.
    pub(super) bases: &'a [SearchedBase],
    /// Whether only sources count that the caller owns.
    pub(super) own_sources_only: bool,
    /// The HTTP request.
    pub(super) request_id: Option<&'a str>,
    /// The agent that needs it.
    pub(super) agent_id: Option<Uuid>,
}

/// What a search gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The chunks, the best first.
    pub(super) chunks: Vec<RetrievedChunk>,
    /// What failed, in words for clients.
    pub(super) errors: Vec<String>,
}

impl Search<'_> {
    /// Makes the search. A base that fails takes nothing from the others.
    pub(super) async fn make(&self, retrieval: &dyn Retrieval) -> Found {
        let queries: Vec<_> = groups(self.bases).into_iter().map(|(config, ids)| self.query(config, ids)).collect();
        let mut found = Found::default();
        let mut lists = Vec::with_capacity(queries.len());
        for few in queries.chunks(PARALLEL) {
            let searches: Vec<_> = few.iter().map(|query| retrieval.search(self.principal, query)).collect();
            for answer in join_all(searches).await {
                match answer {
                    Ok(chunks) => lists.push(chunks),
                    Err(error) => found.errors.extend(words(&error)),
                }
            }
        }
        found.errors.dedup();
        found.chunks = merge(lists);
        found
    }

    fn query(&self, config: &SearchConfig, knowledge_bases: Vec<Uuid>) -> RetrievalQuery {
        RetrievalQuery {
            text: cut_bytes(self.text.trim(), MAX_QUERY_BYTES).replace('\0', " "),
            knowledge_bases,
            top_k: config.top_k,
            method: config.method(),
            threshold: config.similarity_threshold,
            own_sources_only: self.own_sources_only,
            request_id: self.request_id.map(str::to_owned),
            agent_id: self.agent_id,
            ..RetrievalQuery::default()
        }
    }
}

/// The words that a client gets of a failure. A base that the caller does not see is no failure: it has nothing for them.
fn words(error: &RetrievalError) -> Option<String> {
    match error {
        RetrievalError::NotFound | RetrievalError::Forbidden => None,
        error => {
            tracing::warn!(error = error.log_text(), "a search in knowledge bases failed");
            Some(error.to_string())
        }
    }
}

/// Bases that are searched in the same way, so that one search does for all of them.
fn groups(bases: &[SearchedBase]) -> Vec<(&SearchConfig, Vec<Uuid>)> {
    let mut groups: Vec<(&SearchConfig, Vec<Uuid>)> = Vec::new();
    for base in bases {
        match groups.iter_mut().find(|(config, _)| is_same_search(config, &base.config)) {
            Some((_, ids)) => ids.push(base.id),
            None => groups.push((&base.config, vec![base.id])),
        }
    }
    groups
}

fn is_same_search(one: &SearchConfig, other: &SearchConfig) -> bool {
    let without_tokens = |config: &SearchConfig| SearchConfig { max_context_tokens: None, ..config.clone() };
    without_tokens(one) == without_tokens(other)
}

/// Takes the best of each list, then the second of each, and so on, because scores of two answers cannot be compared.
fn merge(lists: Vec<Vec<RetrievedChunk>>) -> Vec<RetrievedChunk> {
    let mut seen = HashSet::new();
    let mut lists: Vec<_> = lists.into_iter().map(Vec::into_iter).collect();
    let mut merged = Vec::new();
    loop {
        let row: Vec<_> = lists.iter_mut().filter_map(Iterator::next).collect();
        if row.is_empty() {
            return merged;
        }
        merged.extend(row.into_iter().filter(|chunk| seen.insert(chunk.chunk_id)));
    }
}

/// Tokens of what these bases may give together; none where one of them has no bound.
pub(super) fn context_tokens(bases: &[SearchedBase]) -> Option<u32> {
    let bounds: Option<Vec<u32>> = bases.iter().map(|base| base.config.max_context_tokens).collect();
    bounds.filter(|bounds| !bounds.is_empty()).map(|bounds| bounds.into_iter().fold(0, u32::saturating_add))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use serde_json::json;

    use behalf_contracts::BaseInfo;
    use behalf_identity::{TokenRequest, Verifier, VerifierOptions, mint_token};

    use super::*;

    /// Answers every base with one chunk of its own id, and fails for the base of zeroes.
    #[derive(Debug)]
    struct OneChunkEach;

    impl Retrieval for OneChunkEach {
        fn search<'a>(
            &'a self,
            _: &'a Arc<Principal>,
            query: &'a RetrievalQuery,
        ) -> BoxFuture<'a, Result<Vec<RetrievedChunk>, RetrievalError>> {
            async move {
                if query.knowledge_bases.contains(&Uuid::nil()) {
                    return Err(RetrievalError::Timeout);
                }
                Ok(query.knowledge_bases.iter().map(|id| chunk(*id)).collect())
            }
            .boxed()
        }

        fn find_bases<'a>(
            &'a self,
            _: &'a Arc<Principal>,
            _: &'a [String],
        ) -> BoxFuture<'a, Result<Vec<BaseInfo>, RetrievalError>> {
            async { Ok(Vec::new()) }.boxed()
        }
    }

    async fn principal() -> Arc<Principal> {
        let secret = "a secret of at least thirty-two bytes";
        let options = VerifierOptions { secret: Some(secret.as_bytes().to_vec()), ..VerifierOptions::default() };
        let request = TokenRequest::for_user("6f9619ff-8b86-d011-b42d-00cf4fc964ff");
        let token = mint_token(secret, &request).expect("a token");
        Verifier::new(options).expect("a verifier").verify(&token).await.expect("a principal")
    }

    fn chunk(id: Uuid) -> RetrievedChunk {
        RetrievedChunk {
            chunk_id: id,
            source_id: id,
            source_name: None,
            knowledge_base_id: Some(id),
            text: "text".to_owned(),
            score: 1.0,
            meta: json!({}),
        }
    }

    fn base(id: u128, top_k: Option<u32>) -> SearchedBase {
        SearchedBase { id: Uuid::from_u128(id), config: SearchConfig { top_k, ..SearchConfig::default() } }
    }

    #[tokio::test]
    async fn bases_are_searched_together_where_they_are_searched_alike() {
        let bases = [base(1, None), base(2, Some(3)), base(3, None), base(0, Some(9))];
        assert_eq!(groups(&bases).len(), 3);
        let principal = principal().await;
        let search = Search {
            principal: &principal,
            text: "when",
            bases: &bases,
            own_sources_only: false,
            request_id: None,
            agent_id: None,
        };
        let found = search.make(&OneChunkEach).await;
        let ids: Vec<_> = found.chunks.iter().map(|chunk| chunk.chunk_id.as_u128()).collect();
        assert_eq!((ids, found.errors.len()), (vec![1, 2, 3], 1));
    }

    #[test]
    fn a_bound_holds_where_every_base_has_one() {
        let bounded = |tokens| SearchedBase {
            id: Uuid::nil(),
            config: SearchConfig { max_context_tokens: tokens, ..SearchConfig::default() },
        };
        assert_eq!(context_tokens(&[bounded(Some(500)), bounded(Some(700))]), Some(1_200));
        assert_eq!((context_tokens(&[bounded(Some(500)), bounded(None)]), context_tokens(&[])), (None, None));
    }
}
