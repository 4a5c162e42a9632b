//! What agents remember of their users: the feature put together, for `/api/memories` and for tools.

use std::sync::Arc;

use behalf_caller_db::CallerDb;
use behalf_embeddings::Embeddings;
use behalf_host_db::HostDb;
use behalf_memory::{Memories, MemoriesParts, routes};
use behalf_sandbox::{LateSlot, MemoryStore};
use behalf_web::{Routes, Web};

/// Lets tools keep memories, and gives the routes of their users.
pub(super) fn start(
    embeddings: &Embeddings,
    (web, host_db, caller_db): (&Web, &HostDb, &CallerDb),
    tools: &LateSlot<dyn MemoryStore>,
) -> Routes {
    let memories = Memories::new(MemoriesParts {
        web: web.clone(),
        db: host_db.clone(),
        caller_db: caller_db.clone(),
        embeddings: embeddings.clone(),
    });
    tools.fill(Arc::new(memories.clone()));
    routes(memories)
}
