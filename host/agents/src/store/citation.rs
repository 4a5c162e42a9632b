//! Table `ai.message_citations`: what the numbers in an answer stand for.

use behalf_host_db::HostTx;
use behalf_identity::Principal;
use serde_json::Value as Json;

/// Adds the citations of a run, a list of objects with the names of the table's columns.
pub(super) async fn insert_citations(
    tx: &mut HostTx,
    principal: &Principal,
    run_id: &str,
    citations: &Json,
) -> Result<(), sqlx::Error> {
    if citations.as_array().is_none_or(Vec::is_empty) {
        return Ok(());
    }
    sqlx::query(
        "insert into ai.message_citations (run_id, user_id, citation_key, item_id, source_id, source_name, text_excerpt, meta)
         select $1, $2, citation_key, item_id, source_id, source_name, text_excerpt, coalesce(meta, '{}')
         from jsonb_to_recordset($3) as c (citation_key text, item_id uuid, source_id uuid, source_name text, text_excerpt text,
            meta jsonb)
         on conflict (run_id, citation_key) do nothing",
    )
    .bind(run_id)
    .bind(principal.subject())
    .bind(citations)
    .execute(&mut **tx)
    .await
    .map(|_| ())
}
