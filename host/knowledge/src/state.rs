//! What the routes, the jobs and the searches need.

use std::sync::Arc;

use axum::extract::FromRef;
use behalf_caller_db::CallerDb;
use behalf_embeddings::Embeddings;
use behalf_host_db::HostDb;
use behalf_models::{EXTRACTIVE, Models};
use behalf_queue::Queue;
use behalf_web::Web;

use crate::config::Means;
use crate::search::{Reranker, Searcher};
use crate::store::models::ModelTable;

/// What knowledge bases are made of.
#[derive(Debug)]
pub struct KnowledgeParts {
    /// What every route shares.
    pub web: Web,
    /// The host's own transactions.
    pub db: HostDb,
    /// The database as callers see it.
    pub caller_db: CallerDb,
    /// The jobs that index sources.
    pub queue: Queue,
    /// The embedding models.
    pub embeddings: Embeddings,
    /// The chat models.
    pub models: Models,
    /// The model that reads the best chunks of a search again, where the operator has set one up.
    pub reranker: Option<Reranker>,
}

/// Knowledge bases. Clones share what they need.
#[derive(Clone, Debug)]
pub struct Knowledge(Arc<Shared>);

/// What is shared.
#[derive(Debug)]
pub struct Shared {
    pub(crate) web: Web,
    pub(crate) db: HostDb,
    pub(crate) caller_db: CallerDb,
    pub(crate) queue: Queue,
    pub(crate) embeddings: Embeddings,
    pub(crate) models: Models,
    pub(crate) searcher: Searcher,
    /// The numbers of embedding models, and which of them the sources of a base have.
    pub(crate) model_table: ModelTable,
}

impl Knowledge {
    /// Puts the feature together.
    pub fn new(parts: KnowledgeParts) -> Self {
        let KnowledgeParts { web, db, caller_db, queue, embeddings, models, reranker } = parts;
        let searcher = Searcher::new(caller_db.clone(), embeddings.clone(), reranker);
        let model_table = ModelTable::default();
        Self(Arc::new(Shared { web, db, caller_db, queue, embeddings, models, searcher, model_table }))
    }

    /// What configurations depend on. The built-in chat model follows no instructions.
    pub(crate) fn means(&self) -> Means<'_> {
        Means { embeddings: &self.embeddings, has_chat_model: self.models.default_model() != EXTRACTIVE }
    }
}

impl std::ops::Deref for Knowledge {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Knowledge> for Web {
    fn from_ref(knowledge: &Knowledge) -> Self {
        knowledge.web.clone()
    }
}
