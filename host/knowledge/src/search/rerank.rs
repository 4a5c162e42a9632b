//! A model that reads the best chunks again, behind an endpoint as Cohere and Jina have it: `POST` with `query` and `documents`.

use std::time::Duration;

use behalf_contracts::RetrievalError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::RerankerConfig;
use super::merge::{Hit, sort};
use super::problem::unavailable;

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(20);

/// Characters of a document that it reads.
const MAX_CHARS: usize = 8_000;

/// The endpoint. Only the operator names its address; bases choose no other one.
#[derive(Debug)]
pub(crate) struct Reranker {
    client: reqwest::Client,
    url: String,
    key: Option<String>,
    model: String,
}

#[derive(Serialize)]
struct Asked<'a> {
    model: &'a str,
    query: &'a str,
    documents: Vec<String>,
    top_n: usize,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    index: usize,
    relevance_score: f32,
}

/// The endpoint answered something else than was asked for.
#[derive(Debug, Error)]
#[error("the reranker named a document that it was not given, or one of them twice or not at all")]
struct Unexpected;

impl Reranker {
    /// A reranker at this address, with this model where a base names no other one.
    #[expect(dead_code, reason = "the operator's settings name no reranker yet")]
    pub(crate) fn new(client: reqwest::Client, url: String, key: Option<String>, model: String) -> Self {
        Self { client, url, key, model }
    }

    /// The same hits in the order and with the scores that the model gives.
    pub(super) async fn rerank(
        &self,
        query: &str,
        config: &RerankerConfig,
        hits: Vec<Hit>,
    ) -> Result<Vec<Hit>, RetrievalError> {
        if hits.is_empty() {
            return Ok(hits);
        }
        let documents: Vec<String> = hits.iter().map(|hit| hit.chunk.text.chars().take(MAX_CHARS).collect()).collect();
        let model = config.model.as_deref().unwrap_or(&self.model);
        let asked = Asked { model, query, top_n: documents.len(), documents };
        let request = self.client.post(&self.url).timeout(DEADLINE).json(&asked);
        let request = match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        let answer = request.send().await.and_then(reqwest::Response::error_for_status).map_err(unavailable)?;
        let answer: Answer = answer.json().await.map_err(unavailable)?;
        ordered(hits, &answer.results).ok_or_else(|| unavailable(Unexpected))
    }
}

/// The hits with these scores; none unless each hit has one.
fn ordered(hits: Vec<Hit>, places: &[Place]) -> Option<Vec<Hit>> {
    let mut left: Vec<Option<Hit>> = hits.into_iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(left.len());
    for place in places {
        let mut hit = left.get_mut(place.index)?.take()?;
        hit.chunk.score = place.relevance_score;
        ordered.push(hit);
    }
    if left.iter().any(Option::is_some) {
        return None;
    }
    sort(&mut ordered);
    Some(ordered)
}

#[cfg(test)]
mod tests {
    use super::super::merge::tests::hit;
    use super::*;

    #[test]
    fn each_hit_gets_one_score() {
        let place = |index, relevance_score| Place { index, relevance_score };
        let hits = || vec![hit(1, 0.5, &[]), hit(2, 0.4, &[])];
        let best = ordered(hits(), &[place(1, 0.9), place(0, 0.1)]).expect("both are named");
        assert_eq!(best.iter().map(|hit| hit.chunk.chunk_id.as_u128()).collect::<Vec<_>>(), [2, 1]);
        for wrong in [vec![place(0, 0.1)], vec![place(0, 0.1), place(0, 0.2)], vec![place(0, 0.1), place(2, 0.2)]] {
            assert!(ordered(hits(), &wrong).is_none());
        }
    }
}
