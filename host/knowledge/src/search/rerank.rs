//! A model that reads the best chunks again, behind an endpoint as Cohere and Jina have it: `POST` with `query` and `documents`.
//! The request has the checks of every request of the host's own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use behalf_sandbox::{OutboundError, OutboundRequest, Sandbox};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::RerankerConfig;
use super::merge::{Hit, sort};

/// Characters of a document that it reads.
const MAX_CHARS: usize = 8_000;

/// Bytes of its answer: some servers send the documents back.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// Where the model is. Only the operator names its address; bases choose no other one.
#[derive(Clone)]
pub struct RerankOptions {
    /// The address of the endpoint, in full.
    pub url: Uri,
    /// The value of `Authorization`, if it needs one.
    pub authorization: Option<HeaderValue>,
    /// The model, where a base names no other one. Servers with one model need no name.
    pub model: Option<String>,
    /// How long it may take for one search.
    pub timeout: Duration,
}

impl fmt::Debug for RerankOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RerankOptions").finish_non_exhaustive()
    }
}

/// The endpoint.
#[derive(Debug)]
pub struct Reranker {
    options: RerankOptions,
    sandbox: Arc<Sandbox>,
}

#[derive(Serialize)]
struct Asked<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
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

/// Why there is no order of the model's.
#[derive(Debug, Error)]
pub(super) enum RerankError {
    #[error("the reranker cannot be asked")]
    Outbound(#[from] OutboundError),
    #[error("the reranker answered with the status {0}")]
    Status(StatusCode),
    #[error("the reranker did not answer with one score for each document")]
    Answer,
}

impl Reranker {
    /// An endpoint that is asked through `sandbox`.
    pub fn new(options: RerankOptions, sandbox: Arc<Sandbox>) -> Self {
        Self { options, sandbox }
    }

    /// The same hits in the order and with the scores that the model gives.
    pub(super) async fn rerank(
        &self,
        query: &str,
        config: &RerankerConfig,
        hits: &[Hit],
    ) -> Result<Vec<Hit>, RerankError> {
        if hits.is_empty() {
            return Ok(Vec::new());
        }
        let documents: Vec<String> = hits.iter().map(|hit| hit.chunk.text.chars().take(MAX_CHARS).collect()).collect();
        let model = config.model.as_deref().or(self.options.model.as_deref());
        let asked = Asked { model, query, top_n: documents.len(), documents };
        let json = HeaderValue::from_static("application/json");
        let own_headers: HeaderMap = [(header::CONTENT_TYPE, json.clone())]
            .into_iter()
            .chain(self.options.authorization.clone().map(|value| (header::AUTHORIZATION, value)))
            .collect();
        let request = OutboundRequest {
            method: Method::POST,
            uri: self.options.url.clone(),
            headers: [(header::ACCEPT, json)].into_iter().collect(),
            own_headers,
            body: serde_json::to_vec(&asked).map_err(|_| RerankError::Answer)?.into(),
        };
        let outbound = self.sandbox.outbound(Instant::now() + self.options.timeout, MAX_ANSWER as u64);
        let response = outbound.send(request).await?;
        if response.status != StatusCode::OK {
            return Err(RerankError::Status(response.status));
        }
        let (body, is_whole) = response.beginning(MAX_ANSWER).await?;
        let answer: Option<Answer> = serde_json::from_slice(&body).ok().filter(|_| is_whole);
        answer.and_then(|answer| ordered(hits, &answer.results)).ok_or(RerankError::Answer)
    }
}

/// The hits with these scores; none unless each hit has one.
fn ordered(hits: &[Hit], places: &[Place]) -> Option<Vec<Hit>> {
    let mut left: Vec<Option<&Hit>> = hits.iter().map(Some).collect();
    let mut ordered = Vec::with_capacity(left.len());
    for place in places.iter().filter(|place| place.relevance_score.is_finite()) {
        let mut hit = left.get_mut(place.index)?.take()?.clone();
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
        let hits = [hit(1, 0.5, &[]), hit(2, 0.4, &[])];
        let best = ordered(&hits, &[place(1, 0.9), place(0, 0.1)]).expect("both are named");
        assert_eq!(best.iter().map(|hit| hit.chunk.chunk_id.as_u128()).collect::<Vec<_>>(), [2, 1]);
        for wrong in [
            vec![place(0, 0.1)],
            vec![place(0, 0.1), place(0, 0.2)],
            vec![place(0, 0.1), place(2, 0.2)],
            vec![place(0, 0.1), place(1, f32::INFINITY)],
        ] {
            assert!(ordered(&hits, &wrong).is_none());
        }
    }
}
