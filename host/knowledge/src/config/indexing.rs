//! How the sources of a base are indexed.

use behalf_embeddings::Embeddings;
use serde_json::{Map, Value, json};

use super::{ConfigError, Means, Strategy, fields};

/// Tokens of a chunk where a client says nothing, unless its model reads fewer.
const DEFAULT_CHUNK_SIZE: u64 = 2_000;
/// Tokens that a chunk has of the one before it.
const DEFAULT_CHUNK_OVERLAP: u64 = 50;

/// A chunk of fewer tokens says too little; one of more fits into no model's context beside others.
const CHUNK_SIZES: (u64, u64) = (16, 8_000);

/// What a base without the name of a strategy and of a model answers to those that need one.
const NO_CHAT_MODEL: &str = "This strategy has a chat model read the documents, and this host has none; choose chunk_embed or full_document, \
     or have the operator of this host name a chat model";

/// How sources are indexed, as far as this host knows. What is wrong in a stored object is as if it were absent: SQL may have written it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndexingConfig {
    /// The way.
    pub(crate) strategy: Strategy,
    /// Tokens of a chunk, at most.
    pub(crate) chunk_size: usize,
    /// Tokens that a chunk shares with the one before it, at most.
    pub(crate) chunk_overlap: usize,
    /// The embedding model; that of the host where none.
    pub(crate) embedding_model: Option<String>,
    /// The chat model; that of the host where none.
    pub(crate) model: Option<String>,
    /// What `doc2json` reads out of documents.
    pub(crate) json_schema: Option<Value>,
}

impl IndexingConfig {
    /// Reads a stored object.
    pub(crate) fn read(stored: &Value) -> Self {
        let empty = Map::new();
        let object = stored.as_object().unwrap_or(&empty);
        let text = |name| fields::text(object, name).ok().flatten();
        let integer = |name, bounds| fields::integer(object, name, bounds).ok().flatten();
        let size = integer("chunk_size", CHUNK_SIZES).unwrap_or(DEFAULT_CHUNK_SIZE);
        let overlap = integer("chunk_overlap", (0, size / 2)).unwrap_or(DEFAULT_CHUNK_OVERLAP.min(size / 4));
        Self {
            strategy: text("strategy").and_then(Strategy::of_name).unwrap_or_default(),
            chunk_size: usize::try_from(size).unwrap_or(usize::MAX),
            chunk_overlap: usize::try_from(overlap).unwrap_or(0),
            embedding_model: text("embedding_model").map(str::to_owned),
            model: text("model").map(str::to_owned),
            json_schema: object.get("json_schema").filter(|schema| schema.is_object()).cloned(),
        }
    }

    /// The embedding model.
    pub(crate) fn embedding_model<'a>(&'a self, embeddings: &'a Embeddings) -> &'a str {
        self.embedding_model.as_deref().unwrap_or_else(|| embeddings.default_model())
    }
}

/// Completes an object that a client sent, with what is in force.
pub(super) fn complete(means: &Means<'_>, mut object: Map<String, Value>) -> Result<Value, ConfigError> {
    let strategy = match fields::text(&object, "strategy")? {
        Some(name) => Strategy::asked_for(name)?,
        None => Strategy::default(),
    };
    let names_model = match fields::text(&object, "model")? {
        Some(name) => {
            let known = behalf_models::Models::check_name(name).is_ok() && name != behalf_models::EXTRACTIVE;
            known.then_some(true).ok_or_else(|| {
                ConfigError::Invalid(
                    "model must name a chat model that follows instructions, such as openai/gpt-4o-mini".to_owned(),
                )
            })?
        }
        None => false,
    };
    if strategy.needs_chat_model() && !means.has_chat_model && !names_model {
        return Err(ConfigError::Missing(NO_CHAT_MODEL));
    }
    object.insert("strategy".to_owned(), strategy.as_str().into());
    if strategy.has_vectors() {
        let model = embedding_model(means, &object)?;
        let most = u64::try_from(means.embeddings.max_tokens(&model)).unwrap_or(u64::MAX);
        object.insert("embedding_model".to_owned(), model.into());
        if strategy == Strategy::ChunkEmbed {
            sizes(&mut object, most)?;
        }
    } else {
        object.remove("embedding_model");
    }
    if strategy == Strategy::Doc2Json {
        let schema = object.get("json_schema").filter(|schema| schema.is_object());
        schema.ok_or_else(|| {
            ConfigError::Invalid(
                "the strategy doc2json needs json_schema, an object: the schema of what to read".to_owned(),
            )
        })?;
    }
    Ok(Value::Object(object))
}

/// The name of an embedding model as this host has it. The platform's names have no provider: they are those of `openai`.
fn embedding_model(means: &Means<'_>, object: &Map<String, Value>) -> Result<String, ConfigError> {
    let name = match fields::text(object, "embedding_model")? {
        None => means.embeddings.default_model().to_owned(),
        Some(name) if !name.is_empty() && !name.contains('/') => format!("openai/{name}"),
        Some(name) => name.to_owned(),
    };
    if name.len() > 200 || Embeddings::check_name(&name).is_err() {
        let example = "such as local/all-MiniLM-L6-v2 or openai/text-embedding-3-small";
        return Err(ConfigError::Invalid(format!("embedding_model must name an embedding model, {example}")));
    }
    Ok(name)
}

fn sizes(object: &mut Map<String, Value>, most: u64) -> Result<(), ConfigError> {
    let size = fields::integer(object, "chunk_size", CHUNK_SIZES)?.unwrap_or(DEFAULT_CHUNK_SIZE.min(most));
    let overlap = match fields::integer(object, "chunk_overlap", (0, CHUNK_SIZES.1))? {
        Some(overlap) if overlap > size / 2 => {
            return Err(ConfigError::Invalid("chunk_overlap may be half of chunk_size at most".to_owned()));
        }
        Some(overlap) => overlap,
        None => DEFAULT_CHUNK_OVERLAP.min(size / 4),
    };
    object.insert("chunk_size".to_owned(), json!(size));
    object.insert("chunk_overlap".to_owned(), json!(overlap));
    Ok(())
}
