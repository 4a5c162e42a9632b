//! Vectors of texts: by a model in this process, or by a server.
//!
//! This crate owns the names of embedding models, the local model and its threads, and the clients of embedding servers. It
//! knows no caller and no table, logs no text, sends a server's key to no other address than the one it belongs to, and
//! downloads nothing.

mod cache;
mod error;
mod key;
mod local;
mod name;
mod options;
mod server;
mod tokens;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use quick_cache::sync::Cache;

pub use error::{Cause, EmbeddingError, WeightsError};
pub use key::ApiKey;
pub use name::LOCAL;
pub use options::EmbeddingOptions;
pub use tokens::{EstimatedTokens, TokenCounter};

use cache::{Key, QueryCache};
use local::{DIMS, Local};
use name::{Family, ModelName};
use server::Server;

/// What a text is for. Some models read a question in another way than what may answer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To find others. Somebody waits for it, so it goes ahead of documents, and its vector is kept for a while.
    Query,
    /// To be found.
    Document,
}

/// The embedding models of a deployment. A clone is the same models.
#[derive(Clone, Debug)]
pub struct Embeddings {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    default_model: String,
    local: Local,
    server: Server,
    queries: QueryCache,
    /// How many numbers the vectors of a server's model have.
    dims: Cache<String, u32>,
}

/// Models whose number of numbers is remembered. A host has few.
const REMEMBERED_MODELS: usize = 256;

impl Embeddings {
    /// Makes the models that `options` describe. This reads no file, starts no thread and sends no request yet.
    pub fn new(options: EmbeddingOptions) -> Result<Self, EmbeddingError> {
        let server = Server::new(&options)?;
        let EmbeddingOptions { default_model, weights, threads, .. } = options;
        let local = Local::new(weights, threads);
        let (queries, dims) = (QueryCache::new(), Cache::new(REMEMBERED_MODELS));
        Ok(Self { shared: Arc::new(Shared { default_model, local, server, queries, dims }) })
    }

    /// The model of whoever names none.
    pub fn default_model(&self) -> &str {
        &self.shared.default_model
    }

    /// Checks the form of a model's name. Only [`dims`](Self::dims) shows whether its server has that model.
    pub fn check_name(name: &str) -> Result<(), EmbeddingError> {
        ModelName::parse(name).map(drop)
    }

    /// Whether the files that the default model needs are there, if it is the local one. What they hold is looked at when
    /// they are read.
    pub fn has_files(&self) -> Result<(), WeightsError> {
        if self.shared.default_model == LOCAL { self.shared.local.has_files() } else { Ok(()) }
    }

    /// One vector for each text, in their order. Each has [`dims`](Self::dims) numbers and the length 1.
    ///
    /// The local model reads the first 510 tokens of a text; what follows does not count. Servers are sent the whole text, and
    /// some refuse one that is too long. If the future is dropped, what still waits is not done.
    pub fn embed<'a>(
        &'a self,
        model: &'a str,
        purpose: Purpose,
        texts: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbeddingError>> {
        match purpose {
            Purpose::Query => self.queries(model, texts).boxed(),
            Purpose::Document => self.vectors(model, purpose, texts).boxed(),
        }
    }

    /// How many numbers a vector of `model` has. It is known, or found by a request.
    pub fn dims<'a>(&'a self, model: &'a str) -> BoxFuture<'a, Result<u32, EmbeddingError>> {
        async move {
            if let Some(known) = self.shared.dims.get(model) {
                return Ok(known);
            }
            if ModelName::parse(model)? == ModelName::Local {
                return Ok(length_of(DIMS));
            }
            let vectors = self.vectors(model, Purpose::Query, &["hello".to_owned()]).await?;
            Ok(length_of(vectors.first().map_or(0, Vec::len)))
        }
        .boxed()
    }

    /// Counts tokens as `model` does. For models of servers, and while the files of the local one are not there, it estimates.
    ///
    /// The first count reads a file of half a megabyte.
    pub fn tokens(&self, model: &str) -> Arc<dyn TokenCounter> {
        match ModelName::parse(model) {
            Ok(ModelName::Local) => self.shared.local.tokens(),
            Ok(ModelName::Served(..)) | Err(_) => Arc::new(EstimatedTokens),
        }
    }

    /// The most tokens of a text that `model` reads well. Of Ollama's models it is what most of them take.
    pub fn max_tokens(&self, model: &str) -> usize {
        match ModelName::parse(model) {
            Ok(ModelName::Served(Family::OpenAi, _)) => 8_191,
            Ok(ModelName::Served(Family::Ollama, _)) => 2_048,
            Ok(ModelName::Local) | Err(_) => local::MAX_TOKENS,
        }
    }

    /// As [`embed`](Self::embed), with what the cache has.
    async fn queries(&self, model: &str, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let cache = &self.shared.queries;
        let keys: Vec<Key> = texts.iter().map(|text| Key::new(model, text)).collect();
        let mut found: Vec<Option<Vec<f32>>> = keys.iter().map(|key| cache.get(key)).collect();
        let missing: Vec<usize> =
            found.iter().enumerate().filter(|(_, vector)| vector.is_none()).map(|(n, _)| n).collect();
        let asked: Vec<String> = missing.iter().filter_map(|n| texts.get(*n)).cloned().collect();
        let vectors = self.vectors(model, Purpose::Query, &asked).await?;
        for (n, vector) in missing.into_iter().zip(vectors) {
            if let (Some(key), Some(place)) = (keys.get(n), found.get_mut(n)) {
                cache.keep(key.clone(), &vector);
                *place = Some(vector);
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    async fn vectors(&self, model: &str, purpose: Purpose, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbeddingError> {
        let name = ModelName::parse(model)?;
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let vectors = match name {
            ModelName::Local => self.shared.local.vectors(purpose, texts).await?,
            ModelName::Served(family, name) => {
                let vectors = self.shared.server.vectors(family, name, purpose, texts).await?;
                self.shared.dims.insert(model.to_owned(), length_of(vectors.first().map_or(0, Vec::len)));
                vectors
            }
        };
        Ok(vectors)
    }
}

/// Vectors have a few thousand numbers at most.
fn length_of(dims: usize) -> u32 {
    u32::try_from(dims).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
