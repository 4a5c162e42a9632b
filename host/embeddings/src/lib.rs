//! Vectors of texts: by a model in this process, or by a server.
//!
//! This crate owns the names of embedding models, the local model and its threads, and the clients of embedding servers. It
//! knows no caller and no table, logs no text, sends a server's key to no other address than the one it belongs to, and
//! downloads nothing.

mod error;
mod key;
mod name;
mod options;
mod tokens;

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;

pub use error::{Cause, EmbeddingError, WeightsError};
pub use key::ApiKey;
pub use name::LOCAL;
pub use options::EmbeddingOptions;
pub use tokens::{EstimatedTokens, TokenCounter};

use name::ModelName;

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
}

impl Embeddings {
    /// Makes the models that `options` describe. This reads no file, starts no thread and sends no request yet.
    pub fn new(options: EmbeddingOptions) -> Result<Self, EmbeddingError> {
        ModelName::parse(&options.default_model)?;
        Ok(Self { shared: Arc::new(Shared { default_model: options.default_model }) })
    }

    /// The model of whoever names none.
    pub fn default_model(&self) -> &str {
        &self.shared.default_model
    }

    /// Checks the form of a model's name. Only [`dims`](Self::dims) shows whether its server has that model.
    pub fn check_name(name: &str) -> Result<(), EmbeddingError> {
        ModelName::parse(name).map(drop)
    }

    /// One vector for each text, in their order. Each has [`dims`](Self::dims) numbers and the length 1.
    ///
    /// The local model reads the first 510 tokens of a text; what follows does not count. If the future is dropped, what still
    /// waits is not done.
    pub fn embed<'a>(
        &'a self,
        model: &'a str,
        _purpose: Purpose,
        _texts: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, EmbeddingError>> {
        async move {
            ModelName::parse(model)?;
            Err(EmbeddingError::NotSetUp("no model is there yet"))
        }
        .boxed()
    }

    /// How many numbers a vector of `model` has. It is known, or found by a request.
    pub fn dims<'a>(&'a self, model: &'a str) -> BoxFuture<'a, Result<u32, EmbeddingError>> {
        async move {
            ModelName::parse(model)?;
            Err(EmbeddingError::NotSetUp("no model is there yet"))
        }
        .boxed()
    }

    /// Counts tokens as `model` does. For models of servers, and while the files of the local one are not there, it estimates.
    pub fn tokens(&self, _model: &str) -> Arc<dyn TokenCounter> {
        Arc::new(EstimatedTokens)
    }

    /// The most tokens of a text that `model` reads well.
    pub fn max_tokens(&self, model: &str) -> usize {
        match ModelName::parse(model) {
            Ok(ModelName::Served(name::Family::OpenAi, _)) => 8_191,
            Ok(ModelName::Served(name::Family::Ollama, _)) => 2_048,
            Ok(ModelName::Local) | Err(_) => 256,
        }
    }
}
