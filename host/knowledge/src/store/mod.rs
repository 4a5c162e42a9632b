//! The tables `ai.knowledge_bases`, `ai.indexed_sources` and `ai.chunks`.
//!
//! What is read for a caller runs as that caller, so the app's own policies decide what they see. What is written runs in the
//! owner's name on the host's login, whose policy shows a caller only their own rows.

pub(crate) mod audit;
pub(crate) mod bases;
pub(crate) mod models;
pub(crate) mod places;
pub(crate) mod read;
pub(crate) mod reindex;

use crate::error::KnowledgeProblem;

/// The columns of `ai.knowledge_bases b` that [`Base`](crate::base::Base) is read from, as one JSON object.
macro_rules! base_json {
    () => {
        "jsonb_build_object('id', b.id, 'owner_id', b.owner_id, 'name', b.name, 'description', b.description,
             'contributors', b.contributors, 'indexing_config', b.indexing_config, 'retrieval_config', b.retrieval_config,
             'created_at', b.created_at, 'updated_at', b.updated_at)::text"
    };
}
pub(crate) use base_json;

/// Times that a change is tried which another transaction got in the way of.
const TRIES: usize = 3;

/// Does a change, and again if its transaction and another one waited for each other.
pub(crate) async fn again<T, W>(work: impl Fn() -> W) -> Result<T, KnowledgeProblem>
where
    W: Future<Output = Result<T, KnowledgeProblem>>,
{
    for _ in 1..TRIES {
        match work().await {
            Err(KnowledgeProblem::Database(error)) if is_deadlock(&error) => {}
            done => return done,
        }
    }
    work().await
}

fn is_deadlock(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "40P01")
}
