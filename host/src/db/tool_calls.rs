//! Table `ai.tool_calls`, read in the caller's name.

use serde_json::Value;
use sqlx::Row;

use super::Db;
use crate::identity::Principal;

impl Db {
    /// The newest calls that the caller may see.
    pub async fn tool_calls(&self, principal: &Principal, limit: i64, offset: i64) -> Result<Vec<Value>, sqlx::Error> {
        let mut tx = self.begin(principal).await?;
        let rows = sqlx::query(
            "select to_jsonb(c) || jsonb_build_object('arguments_sha256', encode(c.arguments_sha256, 'hex'),
                 'plugin_digest', encode(c.plugin_digest, 'hex'))
             from ai.tool_calls c order by c.started_at desc, c.call_id desc limit $1 offset $2",
        )
        .bind(limit)
        .bind(offset)
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}
