//! Memories as tools reach them. The sandbox has checked the sizes, and that the caller is a user.

use behalf_embeddings::Purpose;
use behalf_problem::LogText as _;
use behalf_sandbox::{MemoryCaller, MemoryError, MemoryFuture, MemoryStore, NewMemory, Remembered};
use futures::FutureExt as _;
use uuid::Uuid;

use crate::error::MemoriesError;
use crate::models::Vector;
use crate::state::Memories;
use crate::store::{self, As, Asked, NewText, Whose};

impl MemoryStore for Memories {
    fn remember<'a>(&'a self, caller: MemoryCaller<'a>, memory: NewMemory<'a>) -> MemoryFuture<'a, Uuid> {
        let work = async move {
            let vector = Vector::of(self, Purpose::Document, memory.text).await?;
            let NewMemory { text, meta } = memory;
            let new = NewText { agent: caller.agent, text, meta, vector: &vector };
            store::keep(self, caller.principal, new).await
        };
        within(caller, work).boxed()
    }

    fn recall<'a>(&'a self, caller: MemoryCaller<'a>, query: &'a str, top_k: u32) -> MemoryFuture<'a, Vec<Remembered>> {
        let work = async move {
            if query.trim().is_empty() {
                return store::recall(self, by(caller), caller.agent, (None, top_k)).await;
            }
            let vector = match Vector::of(self, Purpose::Query, query).await {
                Ok(vector) => Some(vector),
                // What was said with other words is not found then, which is better than nothing.
                Err(MemoriesError::Embedding(error)) => {
                    tracing::warn!(
                        error = error.log_text(),
                        "no vector for a search in memories; it goes by words alone"
                    );
                    None
                }
                Err(error) => return Err(error),
            };
            let asked = Asked { text: query, vector: vector.as_ref() };
            store::recall(self, by(caller), caller.agent, (Some(asked), top_k)).await
        };
        within(caller, work).boxed()
    }

    fn forget<'a>(&'a self, caller: MemoryCaller<'a>, id: Uuid) -> MemoryFuture<'a, bool> {
        within(caller, store::remove(self, by(caller), id, Whose::Agent(caller.agent))).boxed()
    }
}

fn by(caller: MemoryCaller<'_>) -> As<'_> {
    As { principal: caller.principal, key: caller.key, deadline: caller.deadline, request_id: "" }
}

/// Waits for an operation no longer than its caller does.
async fn within<T>(
    caller: MemoryCaller<'_>,
    work: impl Future<Output = Result<T, MemoriesError>>,
) -> Result<T, MemoryError> {
    let done = tokio::time::timeout(caller.deadline, work).await.unwrap_or(Err(MemoriesError::Timeout));
    done.map_err(|error| {
        tracing::warn!(error = error.log_text(), "an operation on memories failed");
        error.for_guest()
    })
}
