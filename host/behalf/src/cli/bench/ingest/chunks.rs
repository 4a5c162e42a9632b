//! What the index has in the end. Every text was indexed twice, once while nothing was killed: both have to be the same chunks.

use std::path::Path;

use serde_json::{Value, json};
use uuid::Uuid;

use super::found::{Counter, left};

/// Chunks of the users whose hosts were not killed; of these, those that the others lack; those that the others have besides; and those
/// whose vectors are not alike. Vectors of the same text differ a little, by what else is read at the same time.
const CHUNKS: &str = "
    with made as (
        select s.name, s.owner_id = any($1) as is_killed, c.chunk_index, c.text, c.embedding
        from ai.chunks c join ai.sources s on s.id = c.source_id where (s.owner_id = any($1) or s.owner_id = any($2)) and s.name <> $3
    ), quiet as (select name, chunk_index, text from made where not is_killed
    ), killed as (select name, chunk_index, text from made where is_killed)
    select (select count(*) from quiet),
        (select count(*) from (select * from quiet except all select * from killed) missing),
        (select count(*) from (select * from killed except all select * from quiet) more),
        (select count(*) from made q join made k using (name, chunk_index)
         where not q.is_killed and k.is_killed and coalesce((q.embedding <=> k.embedding) > 0.001, true))";

/// Sources whose chunks together are not their text, but for spaces, or that are not indexed once.
const NOT_WHOLE: &str = r"
    select count(*) from ai.sources s
    where regexp_replace(coalesce((select string_agg(c.text, '' order by c.chunk_index) from ai.chunks c where c.source_id = s.id), ''), '\s', '', 'g')
        <> regexp_replace((select string_agg(p.text, '' order by p.page) from ai.source_pages p where p.source_id = s.id), '\s', '', 'g')
      or 1 <> (select count(*) from ai.indexed_sources i where i.source_id = s.id and i.index_status = 'indexed'
               and i.chunk_count = (select count(*) from ai.chunks c where c.indexed_source_id = i.id))";

/// Whose sources were indexed undisturbed, and whose while something was killed; and a source of neither part.
#[derive(Clone, Debug)]
pub(super) struct Users {
    pub(super) quiet: Vec<Uuid>,
    pub(super) killed: Vec<Uuid>,
    pub(super) neither: String,
}

/// Chunks of the undisturbed part, and what is wrong.
pub(super) async fn found(counter: &Counter, users: &Users, files: &Path) -> anyhow::Result<(i64, Value)> {
    let mut owner = counter.connect().await?;
    // First of all: what killed hosts left has time to be deleted.
    let (jobs, blobs) = left(&mut owner, files).await?;
    let (chunks, missing, more, other_vectors): (i64, i64, i64, i64) = sqlx::query_as(CHUNKS)
        .bind(&users.killed)
        .bind(&users.quiet)
        .bind(&users.neither)
        .fetch_one(&mut owner)
        .await?;
    let not_whole: i64 = sqlx::query_scalar(NOT_WHOLE).fetch_one(&mut owner).await?;
    let staged: i64 = sqlx::query_scalar("select count(*) from behalf.staged_chunks").fetch_one(&mut owner).await?;
    let wrong = json!({
        "lost_chunks": missing, "doubled_chunks": more, "other_vectors": other_vectors, "documents_not_whole": not_whole,
        "left": { "jobs": jobs, "blobs": blobs, "staged_chunks": staged },
    });
    Ok((chunks, wrong))
}
