//! Keeping a text.

use behalf_identity::Principal;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::error::MemoriesError;
use crate::models::Vector;
use crate::state::Memories;

const KEEP: &str = "select behalf.keep_memory($1, $2, $3, $4, $5)";

/// A text to keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewText<'a> {
    /// The agent that remembers it; every agent of the user where none.
    pub(crate) agent: Option<Uuid>,
    /// The text.
    pub(crate) text: &'a str,
    /// What the tool adds.
    pub(crate) meta: &'a Map<String, Value>,
    /// Its vector.
    pub(crate) vector: &'a Vector,
}

/// Keeps a text in the user's name, and returns its id. The same text is kept once.
pub(crate) async fn keep(memories: &Memories, principal: &Principal, new: NewText<'_>) -> Result<Uuid, MemoriesError> {
    let meta = serde_json::to_value(new.meta).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    let mut tx = memories.db.begin(principal).await?;
    let kept: Uuid = sqlx::query_scalar(KEEP)
        .bind(new.agent)
        .bind(new.text)
        .bind(meta)
        .bind(new.vector.model)
        .bind(&new.vector.text)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(kept)
}
