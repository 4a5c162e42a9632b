//! What the routes and the guests' store need.

use std::sync::Arc;

use axum::extract::FromRef;
use behalf_caller_db::CallerDb;
use behalf_contracts::ModelNumbers;
use behalf_embeddings::Embeddings;
use behalf_host_db::HostDb;
use behalf_web::Web;

/// What memories are made of.
#[derive(Debug)]
pub struct MemoriesParts {
    /// What every route shares.
    pub web: Web,
    /// The host's own transactions.
    pub db: HostDb,
    /// The database as callers see it.
    pub caller_db: CallerDb,
    /// The models that make vectors of texts.
    pub embeddings: Embeddings,
}

/// The memories of all users. Clones share it.
#[derive(Clone, Debug)]
pub struct Memories(Arc<Shared>);

/// What is shared.
#[derive(Debug)]
pub struct Shared {
    pub(crate) web: Web,
    pub(crate) db: HostDb,
    pub(crate) caller_db: CallerDb,
    pub(crate) embeddings: Embeddings,
    pub(crate) models: ModelNumbers,
}

impl Memories {
    /// The memories of this database.
    pub fn new(parts: MemoriesParts) -> Self {
        let MemoriesParts { web, db, caller_db, embeddings } = parts;
        Self(Arc::new(Shared { web, db, caller_db, embeddings, models: ModelNumbers::default() }))
    }
}

impl std::ops::Deref for Memories {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl FromRef<Memories> for Web {
    fn from_ref(memories: &Memories) -> Self {
        memories.web.clone()
    }
}
