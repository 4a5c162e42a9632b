//! What the job reads and writes of its place. Every statement names the job, so that one that was replaced changes nothing.

use behalf_host_db::HostTx;
use pgvector::Vector;
use serde_json::{Map, Value, json};
use sqlx::FromRow;
use uuid::Uuid;

use crate::chunking::{Draft, Page};

/// Characters of a value of a source's metadata that its chunks have too, and how many values.
const MAX_TAG_CHARS: usize = 500;
const MAX_TAGS: usize = 50;

/// A place of a source in a base, and the job that indexes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) place: Uuid,
    pub(super) job: Uuid,
}

/// What is to be indexed.
#[derive(Clone, Debug, FromRow)]
pub(super) struct Work {
    pub(super) knowledge_base_id: Uuid,
    pub(super) source_id: Uuid,
    pub(super) name: String,
    pub(super) metadata: Value,
    pub(super) indexing_config: Value,
    /// The bytes of all pages.
    pub(super) bytes: i64,
}

/// Chunks that an earlier attempt made.
#[derive(Clone, Debug, Default)]
pub(super) struct Staged {
    pub(super) count: usize,
    /// The text of the last of them.
    pub(super) last: Option<String>,
}

/// Chunks that were made, with their vectors where they have one.
#[derive(Clone, Debug)]
pub(super) struct Made {
    /// The number of the first.
    pub(super) from: usize,
    pub(super) drafts: Vec<Draft>,
    pub(super) vectors: Vec<Option<Vector>>,
    pub(super) model: Option<i16>,
}

/// A job that failed for good may be begun again by an operator; its place still names it.
const BEGIN: &str = "
    update ai.indexed_sources
    set index_status = 'indexing', error_message = null, wanted_at = null, updated_at = now()
    where id = $1 and job_id = $2 and index_status in ('pending', 'indexing', 'failed')
    returning knowledge_base_id, source_id";

/// Nothing where the base does not take this owner's sources any more.
const WORK: &str = "
    select b.id as knowledge_base_id, s.id as source_id, s.name, s.metadata, b.indexing_config,
        (select coalesce(sum(octet_length(p.text)), 0)::bigint from ai.source_pages p where p.source_id = s.id) as bytes
    from ai.knowledge_bases b, ai.sources s where b.id = $1 and s.id = $2";

const FORGET_OTHERS: &str = "delete from behalf.staged_chunks where indexed_source_id = $1 and job_id <> $2";

const STAGED: &str = "
    select (select count(*) from behalf.staged_chunks where job_id = $1),
        (select text from behalf.staged_chunks where job_id = $1 order by chunk_index desc limit 1)";

const WANTED: &str = "
    select from ai.indexed_sources where id = $1 and job_id = $2 and index_status = 'indexing' for update";

const PROGRESS: &str = "
    update ai.indexed_sources set stats = stats || jsonb_build_object('done', $3::integer, 'total', $4::integer), updated_at = now()
    where id = $1 and job_id = $2 and index_status = 'indexing'";

const STAGE: &str = "
    insert into behalf.staged_chunks
        (job_id, indexed_source_id, chunk_index, text, start_char, end_char, tokens, meta, embedding_model, embedding)
    select $1, $2, made.chunk_index, made.text, made.start_char, made.end_char, made.tokens, made.meta,
        case when made.embedding is not null then $9::smallint end, made.embedding
    from unnest($3::integer[], $4::text[], $5::integer[], $6::integer[], $7::integer[], $8::jsonb[], $10::vector[])
        as made (chunk_index, text, start_char, end_char, tokens, meta, embedding)
    on conflict (job_id, chunk_index) do nothing";

const PUT: &str = "
    insert into ai.chunks (indexed_source_id, knowledge_base_id, source_id, text, chunk_index, start_char, end_char, tokens, meta,
        embedding_model, embedding)
    select $1, $3, $4, text, chunk_index, start_char, end_char, tokens, meta, embedding_model, embedding
    from behalf.staged_chunks where job_id = $2 and indexed_source_id = $1 order by chunk_index";

const END: &str = "
    update ai.indexed_sources
    set index_status = 'indexed', indexed_at = now(), error_message = null, stats = $3, indexing_config_snapshot = $4,
        chunk_count = $5, wanted_at = null, updated_at = now()
    where id = $1 and job_id = $2";

const GIVE_UP: &str = "
    update ai.indexed_sources
    set index_status = case when $3 then 'cancelled' else 'failed' end, error_message = case when $3 then null else $4 end,
        wanted_at = null, stats = stats - 'done' - 'total', updated_at = now()
    where id = $1 and job_id = $2 and index_status in ('pending', 'indexing')";

/// Whether an attempt may begin.
#[derive(Clone, Debug)]
pub(super) enum Begun {
    /// It may, with this.
    Work(Box<Work>),
    /// The base does not take this owner's sources any more.
    Closed,
    /// It is gone, is over, or waits for another job.
    NotWanted,
}

/// Marks the place as being indexed.
pub(super) async fn begin(tx: &mut HostTx, target: Target) -> Result<Begun, sqlx::Error> {
    let found: Option<(Uuid, Uuid)> =
        sqlx::query_as(BEGIN).bind(target.place).bind(target.job).fetch_optional(&mut **tx).await?;
    let Some((base, source)) = found else { return Ok(Begun::NotWanted) };
    sqlx::query(FORGET_OTHERS).bind(target.place).bind(target.job).execute(&mut **tx).await?;
    let work: Option<Work> = sqlx::query_as(WORK).bind(base).bind(source).fetch_optional(&mut **tx).await?;
    Ok(work.map_or(Begun::Closed, |work| Begun::Work(Box::new(work))))
}

/// The pages of a source, in their order.
pub(super) async fn pages(tx: &mut HostTx, source: Uuid) -> Result<Vec<Page>, sqlx::Error> {
    let rows: Vec<(i32, Option<String>, String)> =
        sqlx::query_as("select page, name, text from ai.source_pages where source_id = $1 order by page")
            .bind(source)
            .fetch_all(&mut **tx)
            .await?;
    Ok(rows.into_iter().map(|(number, name, text)| Page { number, name, text }).collect())
}

/// What an earlier attempt of this job made. Each batch was stored whole, after the one before it.
pub(super) async fn staged(tx: &mut HostTx, target: Target) -> Result<Staged, sqlx::Error> {
    let (count, last): (i64, Option<String>) = sqlx::query_as(STAGED).bind(target.job).fetch_one(&mut **tx).await?;
    Ok(Staged { count: usize::try_from(count).unwrap_or_default(), last })
}

/// Whether the place still waits for this job. Locks its row.
pub(super) async fn is_wanted(tx: &mut HostTx, target: Target) -> Result<bool, sqlx::Error> {
    let row = sqlx::query(WANTED).bind(target.place).bind(target.job).fetch_optional(&mut **tx).await?;
    Ok(row.is_some())
}

/// Keeps a batch until all are there, and says how far it is.
pub(super) async fn stage(tx: &mut HostTx, target: Target, made: &Made, total: usize) -> Result<(), sqlx::Error> {
    let column = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let drafts = &made.drafts;
    let numbers: Vec<i32> = (made.from..).take(drafts.len()).map(column).collect();
    let texts: Vec<&str> = drafts.iter().map(|draft| draft.text.as_str()).collect();
    let starts: Vec<Option<i32>> = drafts.iter().map(|draft| draft.place.map(|(start, _)| column(start))).collect();
    let ends: Vec<Option<i32>> = drafts.iter().map(|draft| draft.place.map(|(_, end)| column(end))).collect();
    let tokens: Vec<i32> = drafts.iter().map(|draft| column(draft.tokens)).collect();
    let metas: Vec<Value> = drafts.iter().map(|draft| Value::Object(draft.meta.clone())).collect();
    sqlx::query(STAGE)
        .bind(target.job)
        .bind(target.place)
        .bind(numbers)
        .bind(texts)
        .bind(starts)
        .bind(ends)
        .bind(tokens)
        .bind(metas)
        .bind(made.model)
        .bind(&made.vectors)
        .execute(&mut **tx)
        .await?;
    sqlx::query(PROGRESS)
        .bind(target.place)
        .bind(target.job)
        .bind(column(made.from + drafts.len()))
        .bind(column(total))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Puts what was made in the place of what was there.
pub(super) async fn end(tx: &mut HostTx, target: Target, work: &Work, stats: &Value) -> Result<(), sqlx::Error> {
    sqlx::query("delete from ai.chunks where indexed_source_id = $1").bind(target.place).execute(&mut **tx).await?;
    let put = sqlx::query(PUT)
        .bind(target.place)
        .bind(target.job)
        .bind(work.knowledge_base_id)
        .bind(work.source_id)
        .execute(&mut **tx)
        .await?
        .rows_affected();
    forget(tx, target).await?;
    sqlx::query(END)
        .bind(target.place)
        .bind(target.job)
        .bind(stats)
        .bind(&work.indexing_config)
        .bind(i32::try_from(put).unwrap_or(i32::MAX))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Notes that the job ended without success.
pub(super) async fn give_up(
    tx: &mut HostTx,
    target: Target,
    is_cancelled: bool,
    sentence: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(GIVE_UP)
        .bind(target.place)
        .bind(target.job)
        .bind(is_cancelled)
        .bind(sentence)
        .execute(&mut **tx)
        .await?;
    forget(tx, target).await
}

/// Deletes what was kept of this job.
pub(super) async fn forget(tx: &mut HostTx, target: Target) -> Result<(), sqlx::Error> {
    sqlx::query("delete from behalf.staged_chunks where job_id = $1").bind(target.job).execute(&mut **tx).await?;
    Ok(())
}

/// What chunks know of their source beside their place in it: its name, and the plain values of its metadata, so that a search can ask
/// for them. What the host writes of a chunk itself has the same names in all bases, and goes before.
pub(super) fn of_source(work: &Work) -> Map<String, Value> {
    let mut meta = Map::new();
    for (name, value) in work.metadata.as_object().into_iter().flatten().take(MAX_TAGS) {
        let is_plain = match value {
            Value::String(text) => text.chars().count() <= MAX_TAG_CHARS,
            Value::Number(_) | Value::Bool(_) => true,
            _ => false,
        };
        if is_plain && name.chars().count() <= MAX_TAG_CHARS {
            meta.insert(name.clone(), value.clone());
        }
    }
    meta.insert("source_name".to_owned(), json!(work.name));
    meta
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_know_plain_values_of_their_source() {
        let metadata = json!({
            "team": "a", "year": 2026, "draft": false, "list": [1], "inner": {"a": 1}, "long": "x".repeat(501), "source_name": "other"
        });
        let work = Work {
            knowledge_base_id: Uuid::nil(),
            source_id: Uuid::nil(),
            name: "report.pdf".to_owned(),
            metadata,
            indexing_config: json!({}),
            bytes: 0,
        };
        let wanted = json!({"team": "a", "year": 2026, "draft": false, "source_name": "report.pdf"});
        assert_eq!(Value::Object(of_source(&work)), wanted);
    }
}
