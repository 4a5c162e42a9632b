//! How a base is searched.

use behalf_contracts::SearchMethod;
use serde_json::{Map, Value, json};

use super::{ConfigError, Strategy, fields};
use crate::search::{Fusion, RerankerConfig};

/// The languages that Postgres knows the words of.
pub(crate) const LANGUAGES: [&str; 30] = [
    "simple",
    "arabic",
    "armenian",
    "basque",
    "catalan",
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "greek",
    "hindi",
    "hungarian",
    "indonesian",
    "irish",
    "italian",
    "lithuanian",
    "nepali",
    "norwegian",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tamil",
    "turkish",
    "yiddish",
    "estonian",
];

const DEFAULT_TOP_K: u64 = 5;
const MAX_TOP_K: u64 = 100;
const DEFAULT_VECTOR_WEIGHT: f64 = 0.5;
const DEFAULT_LANGUAGE: &str = "english";

/// Chunks that a reranker reads where a base says nothing.
const DEFAULT_CANDIDATES: u64 = 20;

/// What the text of a result is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContextMode {
    /// That of the chunk.
    #[default]
    Chunks,
    /// That of the pages that the chunk is on.
    Pages,
}

/// How a base is searched, as far as this host knows. What is wrong in a stored object is as if it were absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RetrievalConfig {
    /// The method; none where the object names none, or one that is not known.
    pub(crate) method: Option<SearchMethod>,
    /// Results of a search.
    pub(crate) top_k: u32,
    /// The language of the words.
    pub(crate) language: String,
    /// The weight of vectors in a hybrid search; words have the rest.
    pub(crate) vector_weight: f32,
    /// How a hybrid search puts both together.
    pub(crate) fusion: Fusion,
    /// How much likeness to the query counts against likeness to better results, if results are to be unlike each other.
    pub(crate) mmr_lambda: Option<f32>,
    /// Whether the operator's reranker reads the best chunks again.
    pub(crate) reranker: Option<RerankerConfig>,
    /// What the text of a result is.
    pub(crate) context: ContextMode,
}

impl RetrievalConfig {
    /// Reads a stored object.
    pub(crate) fn read(stored: &Value) -> Self {
        let empty = Map::new();
        let object = stored.as_object().unwrap_or(&empty);
        let text = |name| fields::text(object, name).ok().flatten();
        let part = |name| fields::part(object, name).ok().flatten();
        let top_k = fields::integer(object, "top_k", (1, MAX_TOP_K)).ok().flatten().unwrap_or(DEFAULT_TOP_K);
        let language = text("ts_language").filter(|name| LANGUAGES.contains(name)).unwrap_or(DEFAULT_LANGUAGE);
        Self {
            method: text("method").and_then(method_of),
            top_k: u32::try_from(top_k).unwrap_or(u32::MAX),
            language: language.to_owned(),
            vector_weight: single(part("vector_weight").unwrap_or(DEFAULT_VECTOR_WEIGHT)),
            fusion: text("fusion").and_then(fusion_of).unwrap_or_default(),
            mmr_lambda: part("mmr_lambda").map(single),
            reranker: object.get("reranker").and_then(Value::as_object).map(reranker),
            context: match text("context_mode") {
                Some("page" | "pages") => ContextMode::Pages,
                _ => ContextMode::Chunks,
            },
        }
    }
}

fn reranker(object: &Map<String, Value>) -> RerankerConfig {
    let candidates = fields::integer(object, "candidates", (1, MAX_TOP_K)).ok().flatten().unwrap_or(DEFAULT_CANDIDATES);
    let model = fields::text(object, "model").ok().flatten().map(str::to_owned);
    RerankerConfig { model, candidates: u32::try_from(candidates).unwrap_or(u32::MAX) }
}

#[expect(clippy::cast_possible_truncation, reason = "a weight needs no more digits")]
fn single(number: f64) -> f32 {
    number as f32
}

fn fusion_of(name: &str) -> Option<Fusion> {
    match name {
        "scores" => Some(Fusion::Scores),
        "rrf" => Some(Fusion::Places),
        _ => None,
    }
}

/// The method of a name that clients use; none where it is not known.
pub(crate) fn method_of(name: &str) -> Option<SearchMethod> {
    match name {
        "vector_search" | "vector" => Some(SearchMethod::Vector),
        "full_text" => Some(SearchMethod::FullText),
        "hybrid" => Some(SearchMethod::Hybrid),
        "tree_search" => Some(SearchMethod::Tree),
        _ => None,
    }
}

/// The name that clients use.
pub(crate) fn method_name(method: SearchMethod) -> &'static str {
    match method {
        SearchMethod::Vector => "vector_search",
        SearchMethod::FullText => "full_text",
        SearchMethod::Hybrid => "hybrid",
        SearchMethod::Tree => "tree_search",
    }
}

/// Completes an object that a client sent, with what is in force.
pub(super) fn complete(strategy: Strategy, mut object: Map<String, Value>) -> Result<Value, ConfigError> {
    let method = match fields::text(&object, "method")? {
        Some(name) => method_of(name).map(method_name).ok_or_else(|| {
            ConfigError::Invalid(
                "Unknown retrieval method; use vector_search, full_text, hybrid or tree_search".to_owned(),
            )
        })?,
        None => strategy.methods().first().copied().unwrap_or("hybrid"),
    };
    strategy.allows(method).map_err(ConfigError::Invalid)?;
    object.insert("method".to_owned(), method.into());
    let top_k = fields::integer(&object, "top_k", (1, MAX_TOP_K))?.unwrap_or(DEFAULT_TOP_K);
    object.insert("top_k".to_owned(), json!(top_k));
    let weight = fields::part(&object, "vector_weight")?.unwrap_or(DEFAULT_VECTOR_WEIGHT);
    object.insert("vector_weight".to_owned(), json!(weight));
    if fields::text(&object, "fusion")?.is_some_and(|name| fusion_of(name).is_none()) {
        return Err(ConfigError::Invalid("fusion must be scores or rrf".to_owned()));
    }
    fields::part(&object, "mmr_lambda")?;
    fields::part(&object, "similarity_threshold")?;
    let language = match fields::text(&object, "ts_language")? {
        None => DEFAULT_LANGUAGE,
        Some(name) => LANGUAGES.iter().find(|known| **known == name).ok_or_else(|| {
            ConfigError::Invalid("ts_language must be a language of Postgres's text search, such as english".to_owned())
        })?,
    };
    object.insert("ts_language".to_owned(), language.into());
    match object.get("reranker") {
        None | Some(Value::Null | Value::Object(_)) => {}
        Some(_) => return Err(ConfigError::Invalid("reranker must be an object: model, candidates".to_owned())),
    }
    match fields::text(&object, "context_mode")? {
        None => drop(object.insert("context_mode".to_owned(), "text".into())),
        Some("text" | "page" | "pages") => {}
        Some(_) => return Err(ConfigError::Invalid("context_mode must be text or page".to_owned())),
    }
    Ok(Value::Object(object))
}
