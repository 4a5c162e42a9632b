//! Searches bases as a caller, by whichever way fits each.

use std::sync::Arc;

use behalf_contracts::{
    BaseInfo, ModelNumber, Retrieval, RetrievalError, RetrievalQuery, RetrievedChunk, SearchMethod,
};
use behalf_identity::Principal;
use behalf_web::Asker;
use futures::future::BoxFuture;

use crate::base::Base;
use crate::config::{IndexingConfig, RetrievalConfig, Strategy, method_name};
use crate::search::BaseConfig;
use crate::state::Knowledge;
use crate::store::read;
use crate::tree;

/// Bytes of a query.
const MAX_QUERY: usize = 8_000;

/// Bases of one search.
const MAX_BASES: usize = 100;

/// Results of one search.
const MAX_RESULTS: u32 = 100;

/// All bases that the caller sees.
const ALL: &str = "*";

/// What a search found, and how.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The chunks, the best first.
    pub(crate) chunks: Vec<RetrievedChunk>,
    /// The method of the first base.
    pub(crate) method: SearchMethod,
    /// Whether a model read the best chunks again, where the first base wants one to.
    pub(crate) reranked: Option<bool>,
}

impl Knowledge {
    /// Searches these bases, which the caller sees.
    pub(crate) async fn search_bases(
        &self,
        asker: &Asker,
        query: &RetrievalQuery,
        bases: &[Base],
    ) -> Result<Answer, RetrievalError> {
        check(query)?;
        let (mut flat, mut trees, mut first) = (Vec::new(), Vec::new(), None);
        for base in bases.iter().take(MAX_BASES) {
            let (indexing, retrieval) =
                (IndexingConfig::read(&base.indexing_config), RetrievalConfig::read(&base.retrieval_config));
            let method = method(query, &indexing, &retrieval, bases.len() == 1)?;
            first.get_or_insert(method);
            if indexing.strategy == Strategy::PageIndex {
                trees.push(tree::TreeBase { id: base.id, model: indexing.model, top_k: retrieval.top_k });
            } else {
                self.add_configs(base, &indexing, retrieval, method, &mut flat).await?;
            }
        }
        let (mut chunks, mut reranked) = (Vec::new(), None);
        if !flat.is_empty() {
            let found = self.searcher.search(&asker.principal, query, &flat).await?;
            (chunks, reranked) = (found.chunks, found.reranked);
        }
        if !trees.is_empty() {
            let of_trees = tree::search(self, asker, query, &trees).await?;
            chunks = if chunks.is_empty() { of_trees } else { in_turn(chunks, of_trees) };
            let most = query.top_k.or_else(|| trees.first().map(|base| base.top_k)).unwrap_or(MAX_RESULTS);
            chunks.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        }
        Ok(Answer { chunks, method: first.unwrap_or_default(), reranked })
    }

    /// A base for the searcher: once for the model that it names, and once for each other model that sources of it were indexed with
    /// before and still are. So what waits to be indexed with another model can be found meanwhile.
    async fn add_configs(
        &self,
        base: &Base,
        indexing: &IndexingConfig,
        retrieval: RetrievalConfig,
        method: SearchMethod,
        configs: &mut Vec<BaseConfig>,
    ) -> Result<(), RetrievalError> {
        // Words are those of all its chunks, whichever model made their vectors.
        let needs_vectors = method != SearchMethod::FullText;
        let unavailable = |error: sqlx::Error| RetrievalError::Unavailable(Box::new(error));
        let own = indexing.embedding_model(&self.embeddings).to_owned();
        let mut names = Vec::new();
        if needs_vectors {
            names.push(own);
            for name in self.model_table.of_base(&self.db, base.id).await.map_err(unavailable)? {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        let mut models = Vec::new();
        for name in names {
            models.extend(self.model_table.numbers.find(&self.db, &name).await.map_err(unavailable)?);
        }
        let config = |model: Option<ModelNumber>| BaseConfig {
            id: base.id,
            model: model.map(|model| (model.number, model.name, model.dims)),
            language: retrieval.language.clone(),
            method,
            top_k: retrieval.top_k,
            vector_weight: retrieval.vector_weight,
            fusion: retrieval.fusion,
            mmr: retrieval.mmr_lambda,
            reranker: retrieval.reranker.clone(),
            context: retrieval.context,
        };
        if models.is_empty() {
            configs.push(config(None));
        }
        configs.extend(models.into_iter().map(|model| config(Some(model))));
        Ok(())
    }
}

impl Retrieval for Knowledge {
    fn search<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        query: &'a RetrievalQuery,
    ) -> BoxFuture<'a, Result<Vec<RetrievedChunk>, RetrievalError>> {
        Box::pin(async move {
            let asker = Asker::of(principal);
            let bases = read::bases(self, &asker, &query.knowledge_bases).await?;
            Ok(self.search_bases(&asker, query, &bases).await?.chunks)
        })
    }

    fn find_bases<'a>(
        &'a self,
        principal: &'a Arc<Principal>,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<BaseInfo>, RetrievalError>> {
        Box::pin(async move {
            let asker = Asker::of(principal);
            let is_all = names.iter().any(|name| name == ALL);
            let found = read::named(self, &asker, (!is_all).then_some(names)).await?;
            let mut bases: Vec<BaseInfo> = Vec::new();
            for Base { id, name, description, .. } in found {
                if !bases.iter().any(|base| base.id == id) {
                    bases.push(BaseInfo { id, name, description });
                }
            }
            Ok(bases)
        })
    }
}

fn check(query: &RetrievalQuery) -> Result<(), RetrievalError> {
    let invalid = |text: String| Err(RetrievalError::Invalid(text));
    if query.text.trim().is_empty() || query.text.len() > MAX_QUERY || query.text.contains('\0') {
        return invalid(format!("query must be a text of 1 to {MAX_QUERY} bytes"));
    }
    if query.top_k.is_some_and(|top_k| !(1..=MAX_RESULTS).contains(&top_k)) {
        return invalid(format!("top_k must be a whole number from 1 to {MAX_RESULTS}"));
    }
    if query.threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
        return invalid("similarity_threshold must be a number from 0 to 1".to_owned());
    }
    Ok(())
}

/// The method for a base. Where several are searched, each takes its own where the one that was asked for does not fit it.
fn method(
    query: &RetrievalQuery,
    indexing: &IndexingConfig,
    retrieval: &RetrievalConfig,
    is_only: bool,
) -> Result<SearchMethod, RetrievalError> {
    let fits = |method: SearchMethod| indexing.strategy.allows(method_name(method));
    if let Some(asked) = query.method {
        match fits(asked) {
            Ok(()) => return Ok(asked),
            Err(refused) if is_only => return Err(RetrievalError::Invalid(refused)),
            Err(_) => {}
        }
    }
    let own = retrieval.method.filter(|own| fits(*own).is_ok());
    let default = if indexing.strategy == Strategy::PageIndex { SearchMethod::Tree } else { SearchMethod::Hybrid };
    Ok(own.unwrap_or(default))
}

/// Two answers as one: scores of the two ways say nothing of each other, so results take turns, and have scores by their place.
fn in_turn(first: Vec<RetrievedChunk>, second: Vec<RetrievedChunk>) -> Vec<RetrievedChunk> {
    let most = first.len().max(second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all = Vec::new();
    for _ in 0..most {
        all.extend(first.next());
        all.extend(second.next());
    }
    for (place, chunk) in all.iter_mut().enumerate() {
        chunk.score = by_place(place);
    }
    all
}

/// The score of a result of which only its place is known.
#[expect(clippy::cast_precision_loss, reason = "places are small numbers")]
pub(crate) fn by_place(place: usize) -> f32 {
    1.0 / (1.0 + place as f32)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn query(method: Option<SearchMethod>) -> RetrievalQuery {
        RetrievalQuery { text: "a".to_owned(), method, ..RetrievalQuery::default() }
    }

    #[test]
    fn a_method_fits_its_base() {
        let chunks = IndexingConfig::read(&json!({"strategy": "chunk_embed"}));
        let sections = IndexingConfig::read(&json!({"strategy": "page_index"}));
        let retrieval = RetrievalConfig::read(&json!({"method": "full_text"}));
        let of = |asked, indexing, is_only| method(&query(asked), indexing, &retrieval, is_only).ok();
        assert_eq!(of(None, &chunks, true), Some(SearchMethod::FullText));
        assert_eq!(of(Some(SearchMethod::Vector), &chunks, true), Some(SearchMethod::Vector));
        assert_eq!(of(Some(SearchMethod::Tree), &chunks, true), None);
        assert_eq!(of(Some(SearchMethod::Tree), &chunks, false), Some(SearchMethod::FullText));
        assert_eq!(of(None, &sections, true), Some(SearchMethod::Tree));
        assert_eq!(of(Some(SearchMethod::Hybrid), &sections, false), Some(SearchMethod::Tree));
    }

    #[test]
    fn a_query_is_bounded() {
        for wrong in [
            RetrievalQuery { text: " ".to_owned(), ..query(None) },
            RetrievalQuery { text: "x".repeat(MAX_QUERY + 1), ..query(None) },
            RetrievalQuery { top_k: Some(0), ..query(None) },
            RetrievalQuery { top_k: Some(101), ..query(None) },
            RetrievalQuery { threshold: Some(f32::NAN), ..query(None) },
        ] {
            assert!(matches!(check(&wrong), Err(RetrievalError::Invalid(_))), "{wrong:?}");
        }
        assert!(check(&query(None)).is_ok());
    }

    #[test]
    fn results_of_two_ways_take_turns() {
        let chunk = |number: u128| RetrievedChunk {
            chunk_id: Uuid::from_u128(number),
            source_id: Uuid::nil(),
            source_name: None,
            knowledge_base_id: None,
            text: String::new(),
            score: 0.5,
            meta: json!({}),
        };
        let all = in_turn(vec![chunk(1), chunk(2)], vec![chunk(3)]);
        assert_eq!(all.iter().map(|chunk| chunk.chunk_id.as_u128()).collect::<Vec<_>>(), [1, 3, 2]);
        assert!(all.windows(2).all(|pair| pair[0].score > pair[1].score));
    }
}
