//! What a knowledge base is told: how its sources are indexed, and how they are searched.
//!
//! Both are JSON objects of the app's. What this host reads of them is checked when they are written. Other members are kept and change
//! nothing, because clients of the platform send members for what this host does not do.

mod fields;
mod indexing;
mod retrieval;
mod strategy;

use serde_json::{Map, Value, json};
use thiserror::Error;

pub(crate) use indexing::IndexingConfig;
pub(crate) use retrieval::{ContextMode, LANGUAGES, RetrievalConfig, method_name, method_of};
pub(crate) use strategy::Strategy;

/// Bytes of one of the two objects, as JSON.
const MAX_BYTES: usize = 64 * 1024;

/// Why a configuration is not taken.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ConfigError {
    /// It is wrong; the text says what.
    #[error("{0}")]
    Invalid(String),
    /// The platform has it, and this host does not.
    #[error("{0}")]
    NotServed(&'static str),
    /// It needs something that this host has not.
    #[error("{0}")]
    Missing(&'static str),
}

/// What a host can do, as far as configurations depend on it.
#[derive(Clone, Debug)]
pub(crate) struct Means<'a> {
    /// The embedding models.
    pub(crate) embeddings: &'a behalf_embeddings::Embeddings,
    /// Whether a chat model is there that can follow instructions.
    pub(crate) has_chat_model: bool,
}

/// The two objects of a base, complete and checked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Checked {
    /// How its sources are indexed.
    pub(crate) indexing: Value,
    /// How they are searched.
    pub(crate) retrieval: Value,
}

/// Completes what a client sent, over what is there already.
pub(crate) fn check(
    means: &Means<'_>,
    (old_indexing, new_indexing): (Option<&Value>, Option<Map<String, Value>>),
    (old_retrieval, new_retrieval): (Option<&Value>, Option<Map<String, Value>>),
) -> Result<Checked, ConfigError> {
    let indexing = merged(old_indexing, new_indexing);
    let indexing = indexing::complete(means, indexing)?;
    let config = IndexingConfig::read(&indexing);
    let changes_strategy = old_indexing.is_some_and(|old| IndexingConfig::read(old).strategy != config.strategy);
    let names_method = new_retrieval.as_ref().is_some_and(|new| new.contains_key("method"));
    let mut retrieval = merged(old_retrieval, new_retrieval);
    if changes_strategy && !names_method {
        // Its old method may not fit its new strategy.
        retrieval.remove("method");
    }
    let retrieval = retrieval::complete(config.strategy, retrieval)?;
    for object in [&indexing, &retrieval] {
        if object.to_string().len() > MAX_BYTES {
            return Err(ConfigError::Invalid(format!("a configuration may have at most {MAX_BYTES} bytes as JSON")));
        }
    }
    Ok(Checked { indexing, retrieval })
}

fn merged(old: Option<&Value>, new: Option<Map<String, Value>>) -> Map<String, Value> {
    let mut all = old.and_then(Value::as_object).cloned().unwrap_or_default();
    all.extend(new.unwrap_or_default());
    all
}

/// What bases are told where a client says nothing, for `GET /api/config/kb-defaults`.
pub(crate) fn defaults(means: &Means<'_>) -> Value {
    let strategies: Vec<Value> = Strategy::ALL
        .into_iter()
        .map(|strategy| {
            json!({
                "name": strategy.as_str(),
                "description": strategy.description(),
                "retrieval_methods": strategy.methods(),
                "default_retrieval_method": strategy.methods().first(),
                "needs_chat_model": strategy.needs_chat_model(),
                "available": means.has_chat_model || !strategy.needs_chat_model(),
            })
        })
        .collect();
    let none = (None, None);
    let defaults = check(means, none.clone(), none).ok();
    json!({
        "strategies": strategies,
        "indexing_config": defaults.as_ref().map(|both| &both.indexing),
        "retrieval_config": defaults.as_ref().map(|both| &both.retrieval),
        "embedding_model": means.embeddings.default_model(),
        "ts_languages": LANGUAGES,
        "context_modes": ["text", "page"],
    })
}

#[cfg(test)]
mod tests {
    use behalf_embeddings::{EmbeddingOptions, Embeddings};

    use super::*;

    fn embeddings() -> Embeddings {
        Embeddings::new(EmbeddingOptions {
            default_model: behalf_embeddings::LOCAL.to_owned(),
            ..EmbeddingOptions::default()
        })
        .expect("the defaults are good")
    }

    #[expect(clippy::needless_pass_by_value, reason = "objects are written where they are used")]
    fn object(value: Value) -> Option<Map<String, Value>> {
        value.as_object().cloned()
    }

    #[test]
    fn a_base_of_nothing_has_all_defaults_and_no_more_tokens_than_its_model_reads() {
        let embeddings = embeddings();
        let means = Means { embeddings: &embeddings, has_chat_model: false };
        let made = check(&means, (None, None), (None, None)).expect("the defaults");
        assert_eq!(made.indexing["strategy"], "chunk_embed");
        assert_eq!(made.indexing["embedding_model"], behalf_embeddings::LOCAL);
        assert_eq!((&made.indexing["chunk_size"], &made.indexing["chunk_overlap"]), (&json!(256), &json!(50)));
        assert_eq!(made.retrieval["method"], "hybrid");
        assert_eq!(made.retrieval["top_k"], 5);
    }

    #[test]
    fn methods_fit_strategies() {
        let embeddings = embeddings();
        let means = Means { embeddings: &embeddings, has_chat_model: true };
        let pair = |strategy: &str, method: &str| {
            let indexing = object(json!({"strategy": strategy, "json_schema": {"type": "object"}}));
            check(&means, (None, indexing), (None, object(json!({"method": method}))))
        };
        for strategy in ["chunk_embed", "full_document", "doc2json"] {
            for method in ["vector_search", "full_text", "hybrid"] {
                assert!(pair(strategy, method).is_ok(), "{strategy} {method}");
            }
            let refused = pair(strategy, "tree_search").expect_err("no tree").to_string();
            let said = format!("Retrieval method 'tree_search' is not compatible with indexing strategy '{strategy}'");
            assert_eq!(refused, said);
        }
        assert!(pair("page_index", "tree_search").is_ok() && pair("page_index", "hybrid").is_err());
        assert!(matches!(pair("graph_index", "hybrid"), Err(ConfigError::NotServed(_))));
        assert!(matches!(pair("other", "hybrid"), Err(ConfigError::Invalid(_))));
        assert!(matches!(pair("chunk_embed", "other"), Err(ConfigError::Invalid(_))));
    }

    #[test]
    fn what_needs_a_chat_model_is_refused_where_none_is() {
        let embeddings = embeddings();
        let means = Means { embeddings: &embeddings, has_chat_model: false };
        let tree = || object(json!({"strategy": "page_index"}));
        assert!(matches!(check(&means, (None, tree()), (None, None)), Err(ConfigError::Missing(_))));
        let means = Means { has_chat_model: true, ..means };
        let made = check(&means, (None, tree()), (None, None)).expect("there is one");
        assert_eq!(made.retrieval["method"], "tree_search");
        assert!(made.indexing.get("embedding_model").is_none(), "nothing of it has a vector");
    }

    #[test]
    fn a_change_keeps_what_it_does_not_name() {
        let embeddings = embeddings();
        let means = Means { embeddings: &embeddings, has_chat_model: true };
        let own = object(json!({"chunk_size": 100, "note": "mine"}));
        let made = check(&means, (None, own), (None, object(json!({"top_k": 9})))).expect("good");
        let changed = object(json!({"chunk_overlap": 10}));
        let changed = check(&means, (Some(&made.indexing), changed), (Some(&made.retrieval), None)).expect("good");
        assert_eq!((&changed.indexing["chunk_size"], &changed.indexing["note"]), (&json!(100), &json!("mine")));
        assert_eq!(changed.retrieval["top_k"], 9);
        let tree = object(json!({"strategy": "page_index"}));
        let tree = check(&means, (Some(&made.indexing), tree), (Some(&made.retrieval), None)).expect("good");
        assert_eq!(tree.retrieval["method"], "tree_search");
    }

    #[test]
    fn wrong_members_are_named() {
        let embeddings = embeddings();
        let means = Means { embeddings: &embeddings, has_chat_model: true };
        for (wrong, named) in [
            (json!({"chunk_size": 4}), "chunk_size"),
            (json!({"chunk_size": "many"}), "chunk_size"),
            (json!({"chunk_size": 100, "chunk_overlap": 51}), "chunk_overlap"),
            (json!({"embedding_model": ""}), "embedding_model"),
            (json!({"embedding_model": "unknown/model"}), "embedding_model"),
            (json!({"strategy": 5}), "strategy"),
            (json!({"strategy": "doc2json"}), "json_schema"),
            (json!({"note": "x".repeat(MAX_BYTES)}), "bytes"),
        ] {
            let error = check(&means, (None, object(wrong.clone())), (None, None)).expect_err("it is wrong");
            assert!(error.to_string().contains(named), "{wrong}: {error}");
        }
        for (wrong, named) in [
            (json!({"top_k": 0}), "top_k"),
            (json!({"vector_weight": 1.5}), "vector_weight"),
            (json!({"ts_language": "klingon"}), "ts_language"),
            (json!({"context_mode": "all"}), "context_mode"),
            (json!({"mmr_lambda": -1}), "mmr_lambda"),
        ] {
            let error = check(&means, (None, None), (None, object(wrong.clone()))).expect_err("it is wrong");
            assert!(error.to_string().contains(named), "{wrong}: {error}");
        }
    }
}
