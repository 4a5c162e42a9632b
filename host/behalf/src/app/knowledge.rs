//! Knowledge bases: the embedding models of the settings, and the feature put together.

use std::sync::Arc;
use std::time::Duration;

use behalf_caller_db::CallerDb;
use behalf_config::{ConfigError, Secret, Settings};
use behalf_embeddings::Embeddings;
use behalf_host_db::HostDb;
use behalf_jobs::Jobs;
use behalf_knowledge::{GuestKnowledge, INDEXING_LANE, Knowledge, KnowledgeParts, RerankOptions, Reranker};
use behalf_models::Models;
use behalf_queue::{LaneOptions, Workers};
use behalf_web::Web;
use http::HeaderValue;

use super::embeddings::embedding_options;
use super::files::Files;

/// Sources that are indexed at the same time on one host, and of one owner. Most of the time a job waits for the embedding model, which
/// takes what waits in one order, so more jobs at once are no faster.
const PLACES: usize = 4;
const PER_OWNER: u32 = 2;

/// What is made of the settings alone.
pub(crate) struct KnowledgePlan {
    /// The embedding models.
    pub(super) embeddings: Embeddings,
    rerank: Option<RerankOptions>,
}

impl KnowledgePlan {
    /// Reads the settings. No model is loaded yet.
    pub(super) fn read(settings: &Settings) -> Result<Self, ConfigError> {
        let embeddings =
            Embeddings::new(embedding_options(settings)).map_err(|error| ConfigError::Value(error.to_string()))?;
        Ok(Self { embeddings, rerank: rerank(settings)? })
    }
}

/// Where results are read again; none where the settings name no place.
fn rerank(settings: &Settings) -> Result<Option<RerankOptions>, ConfigError> {
    let value = |text: &str| ConfigError::Value(text.to_owned());
    let own = &settings.embeddings;
    let Some(url) = own.rerank_url.as_deref().filter(|url| !url.is_empty()) else { return Ok(None) };
    let url = url.parse().map_err(|_| value("rerank_url must be an address: http(s)://host[:port]/path"))?;
    behalf_sandbox::origin(&url).map_err(|_| value("rerank_url must be http or https, with a host and no user"))?;
    let key = own.rerank_api_key.as_ref().map(Secret::expose).filter(|key| !key.is_empty());
    let authorization = key.map(|key| HeaderValue::from_str(&format!("Bearer {key}"))).transpose();
    let mut authorization = authorization.map_err(|_| value("rerank_api_key cannot be sent in a header"))?;
    if let Some(header) = &mut authorization {
        header.set_sensitive(true);
    }
    let model = own.rerank_model.clone().filter(|model| !model.is_empty());
    Ok(Some(RerankOptions { url, authorization, model, timeout: Duration::from_secs(own.rerank_seconds.max(1)) }))
}

/// Puts the feature together, lets `workers` index sources, and lets the tools of `files` search.
pub(super) fn start(
    plan: KnowledgePlan,
    (web, host_db, caller_db): (&Web, &HostDb, &CallerDb),
    models: &Models,
    files: &Files,
    (jobs, workers): (&Jobs, &mut Workers),
) -> Knowledge {
    let parts = KnowledgeParts {
        web: web.clone(),
        db: host_db.clone(),
        caller_db: caller_db.clone(),
        queue: workers.queue().clone(),
        embeddings: plan.embeddings,
        models: models.clone(),
        reranker: plan.rerank.map(|options| Reranker::new(options, Arc::clone(&files.sandbox))),
    };
    let knowledge = Knowledge::new(parts);
    workers.lane(LaneOptions { name: INDEXING_LANE, places: PLACES, per_owner: PER_OWNER });
    knowledge.add_jobs_to(workers, jobs);
    files.knowledge.fill(Arc::new(GuestKnowledge::new(Arc::new(knowledge.clone()))));
    knowledge
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Option<RerankOptions>, ConfigError> {
        rerank(&Settings::from_pairs(pairs.iter().map(|(name, text)| (*name, (*text).to_owned())))?)
    }

    #[test]
    fn a_reranker_is_what_the_settings_name() {
        assert!(read(&[("rerank_model", "m")]).expect("settings").is_none());
        let url = ("rerank_url", "https://rerank.example/v1/rerank");
        let options = read(&[url, ("rerank_api_key", "k"), ("rerank_seconds", "0")]).expect("settings").expect("one");
        assert_eq!(options.authorization.expect("a key"), "Bearer k");
        assert_eq!((options.model, options.timeout), (None, Duration::from_secs(1)));
        for pairs in [
            vec![("rerank_url", "rerank.example")],
            vec![("rerank_url", "ftp://rerank.example/")],
            vec![("rerank_url", "https://user:pass@rerank.example/")],
            vec![url, ("rerank_api_key", "a\nb")],
        ] {
            assert!(read(&pairs).is_err(), "{pairs:?}");
        }
    }
}
